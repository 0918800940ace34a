#include "brain/link/routes.hpp"

#include "base/error.hpp"
#include "brain/link/messages.hpp"

#include <functional>
#include <type_traits>

namespace brain::link {

using base::http::Request;
using base::http::Response;
using base::json::encode;

namespace {

// Named refusals have the status of their kind; anything else that is not a brain's word is 503, so
// that the cell asks the next brain or waits.
Response refused(const base::Error& error) {
    const bool named = !api::error_name(error).empty();
    return Response::json(encode(to_refusal(error)), named ? base::http_status(error.kind) : 503);
}

Response answer(const base::Result<void>& done) {
    if (!done) return refused(done.error());
    return Response::json("{}");
}

Response answer(const base::Result<bool>& done) {
    if (!done) return refused(done.error());
    return Response::json(encode(YesNo{.yes = *done}));
}

template <class Record>
Response answer(const base::Result<Record>& found) {
    if (!found) return refused(found.error());
    return Response::json(encode(*found));
}

Response answer(base::Result<api::SyncAnswer> found) {
    if (!found) return refused(found.error());
    return Response::json(encode(
            Records{.unchanged = found->unchanged,
                    .lrps = std::move(found->lrps),
                    .tasks = std::move(found->tasks)}));
}

// A call with a body of type `Call`, answered by `perform(call)`.
template <class Call, class Perform>
void add(base::http::Router& router, std::string_view name, Perform perform) {
    router.post(std::string(kPrefix) + std::string(name), [perform](Request& request) {
        const auto text = request.read_body(kMaxBody);
        if (!text) return refused(api::make_error(api::kInvalidRequest, text.error().text));
        const auto call =
                base::json::decode<Call>(*text, base::json::Rest::ignore, {.bytes = kMaxBody});
        if (!call) return refused(api::make_error(api::kInvalidRequest, call.error().text));
        return answer(perform(*call));
    });
}

void add_instance_calls(base::http::Router& router, api::Brain& brain) {
    add<InstanceCall>(router, "claim_actual_lrp", [&brain](const InstanceCall& c) {
        return brain.claim_actual_lrp(c.key, c.instance);
    });
    add<api::RunningLrp>(router, "start_actual_lrp", [&brain](const api::RunningLrp& running) {
        return brain.start_actual_lrp(running);
    });
    add<InstanceCall>(router, "crash_actual_lrp", [&brain](const InstanceCall& c) {
        return brain.crash_actual_lrp(c.key, c.instance, c.reason);
    });
    add<InstanceCall>(router, "remove_actual_lrp", [&brain](const InstanceCall& c) {
        return brain.remove_actual_lrp(c.key, c.instance);
    });
    add<InstanceCall>(router, "remove_evacuating_actual_lrp", [&brain](const InstanceCall& c) {
        return brain.remove_evacuating_actual_lrp(c.key, c.instance);
    });
    add<InstanceCall>(router, "evacuate_claimed_actual_lrp", [&brain](const InstanceCall& c) {
        return brain.evacuate_claimed_actual_lrp(c.key, c.instance);
    });
    add<api::RunningLrp>(
            router, "evacuate_running_actual_lrp", [&brain](const api::RunningLrp& running) {
                return brain.evacuate_running_actual_lrp(running);
            });
    add<InstanceCall>(router, "evacuate_stopped_actual_lrp", [&brain](const InstanceCall& c) {
        return brain.evacuate_stopped_actual_lrp(c.key, c.instance);
    });
    add<InstanceCall>(router, "evacuate_crashed_actual_lrp", [&brain](const InstanceCall& c) {
        return brain.evacuate_crashed_actual_lrp(c.key, c.instance, c.reason);
    });
}

void add_task_calls(base::http::Router& router, api::Brain& brain) {
    add<TaskCall>(router, "start_task", [&brain](const TaskCall& c) {
        return brain.start_task(c.task_guid, c.cell_id);
    });
    add<TaskCall>(router, "task", [&brain](const TaskCall& c) { return brain.task(c.task_guid); });
    add<api::TaskOutcome>(router, "complete_task", [&brain](const api::TaskOutcome& outcome) {
        return brain.complete_task(outcome);
    });
    add<TaskCall>(router, "reject_task", [&brain](const TaskCall& c) {
        return brain.reject_task(c.task_guid, c.reason);
    });
}

}  // namespace

void add_routes(base::http::Router& router, api::Brain& brain) {
    add_instance_calls(router, brain);
    add_task_calls(router, brain);
    add<ProcessCall>(router, "desired_lrp", [&brain](const ProcessCall& c) {
        return brain.desired_lrp(c.process_guid);
    });
    add<CellCall>(router, "sync", [&brain](const CellCall& c) {
        return brain.sync(c.cell_id, c.digest);
    });
    add<PresenceCall>(router, "put_presence", [&brain](const PresenceCall& c) {
        return brain.put_presence(c.presence, c.owner, std::chrono::milliseconds(c.ttl_ms));
    });
    add<CellCall>(router, "release_presence", [&brain](const CellCall& c) {
        return brain.release_presence(c.cell_id, c.owner);
    });
}

}  // namespace brain::link
