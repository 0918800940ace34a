// What happens to tasks (lifecycle §2): pure functions from the world and a request to an Outcome
// or a named refusal. Used by brain/core.
#pragma once

#include "base/result.hpp"
#include "brain/api/brain.hpp"
#include "brain/model/outcome.hpp"

namespace brain::model {

// Bytes of a reason, those of "(truncated)" at its end included (bbs-api §5).
inline constexpr std::size_t kMaxReason = 1'024;
std::string truncated(std::string_view reason);

base::Result<Outcome> desire_task(const Context& ctx, api::Task task);

struct StartedTask {
    Outcome outcome;
    bool should_start = false;
};

base::Result<StartedTask> start_task(
        const Context& ctx, std::string_view task_guid, std::string_view cell_id);
base::Result<Outcome> complete_task(const Context& ctx, const api::TaskOutcome& outcome);
base::Result<Outcome> cancel_task(const Context& ctx, std::string_view task_guid);
base::Result<Outcome> fail_task(
        const Context& ctx, std::string_view task_guid, std::string_view reason);
// Counts one more refusal; the one after max_task_retries of them fails the task.
base::Result<Outcome> reject_task(
        const Context& ctx, std::string_view task_guid, std::string_view reason);
base::Result<Outcome> resolve_task(const Context& ctx, std::string_view task_guid);
base::Result<Outcome> delete_task(const Context& ctx, std::string_view task_guid);

}  // namespace brain::model
