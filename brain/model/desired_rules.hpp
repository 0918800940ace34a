// What happens to desired LRPs and domains (lifecycle §3, §5.2): pure functions from the world and
// a request to an Outcome or a named refusal. Used by brain/core.
#pragma once

#include "base/result.hpp"
#include "brain/model/outcome.hpp"

#include <chrono>

namespace brain::model {

// Of a domain: what fits 32 bits on the wire, 136 years.
inline constexpr std::chrono::seconds kMaxTimeToLive{4'294'967'295};

base::Result<Outcome> desire_lrp(const Context& ctx, api::DesiredLrp desired);
base::Result<Outcome> update_desired_lrp(
        const Context& ctx, std::string_view process_guid, const api::DesiredLrpUpdate& update);
base::Result<Outcome> remove_desired_lrp(const Context& ctx, std::string_view process_guid);
base::Result<Outcome> upsert_domain(
        const Context& ctx, std::string_view name, std::chrono::seconds time_to_live);
bool is_fresh(
        const Domain& domain, std::int64_t now);  // rounded to the second (lifecycle §5 step 3)

}  // namespace brain::model
