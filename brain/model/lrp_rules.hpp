// What happens to actual LRPs (lifecycle §4, §6): pure functions from the world and a request to an
// Outcome or a named refusal. Used by brain/core.
#pragma once

#include "base/result.hpp"
#include "brain/api/brain.hpp"
#include "brain/model/outcome.hpp"

namespace brain::model {

// The guard of lifecycle §4.1, both of the same key.
bool may_become(const api::ActualLrp& from, const api::InstanceKey& instance, api::LrpState to);

base::Result<Outcome> claim_lrp(
        const Context& ctx, const api::LrpKey& key, const api::InstanceKey& instance);
base::Result<Outcome> start_lrp(const Context& ctx, const api::RunningLrp& running);
base::Result<Outcome> crash_lrp(
        const Context& ctx,
        const api::LrpKey& key,
        const api::InstanceKey& instance,
        std::string_view reason);
base::Result<Outcome> fail_lrp(
        const Context& ctx, const api::LrpKey& key, std::string_view placement_error);
// An empty instance: whichever it is.
base::Result<Outcome> remove_lrp(
        const Context& ctx, const api::LrpKey& key, const api::InstanceKey& instance);
// Stops an instance whose cell is known; deletes the row of any other. No event before the row
// goes: events say what became durable (event.hpp), where the original tells of the attempt.
base::Result<Outcome> retire_lrp(
        const Context& ctx, std::string_view process_guid, std::int32_t index);

struct Evacuated {
    Outcome outcome;
    bool keep_container = false;
};

base::Result<Evacuated> evacuate_claimed_lrp(
        const Context& ctx, const api::LrpKey& key, const api::InstanceKey& instance);
base::Result<Evacuated> evacuate_running_lrp(const Context& ctx, const api::RunningLrp& running);
base::Result<Evacuated> evacuate_stopped_lrp(
        const Context& ctx, const api::LrpKey& key, const api::InstanceKey& instance);
base::Result<Evacuated> evacuate_crashed_lrp(
        const Context& ctx,
        const api::LrpKey& key,
        const api::InstanceKey& instance,
        std::string_view reason);
base::Result<Outcome> remove_evacuating_lrp(
        const Context& ctx, const api::LrpKey& key, const api::InstanceKey& instance);

// Resolved tags and internal hostnames that an instance should have (lifecycle §5 steps 13, 14).
api::MetricTags resolve_tags(const api::DesiredLrp& desired, const api::ActualLrp& actual);
std::vector<api::InternalRoute> internal_routes_of(const api::DesiredLrp& desired);

}  // namespace brain::model
