#include "brain/link/messages.hpp"

#include "base/fail.hpp"
#include "base/json_describe.hpp"
#include "brain/api/describe_keys.hpp"

namespace brain::api {

template <class V>
void describe(V& v, RunningLrp& o) {
    v.always("key", o.key);
    v.always("instance", o.instance);
    v.always("net_info", o.net_info);
    v.omit("internal_routes", o.internal_routes);
    v.omit("metric_tags", o.metric_tags);
    v.always("routable", o.routable);
    v.omit("availability_zone", o.availability_zone);
}

template <class V>
void describe(V& v, TaskOutcome& o) {
    v.always("task_guid", o.task_guid);
    v.always("cell_id", o.cell_id);
    v.always("failed", o.failed);
    v.omit("failure_reason", o.failure_reason);
    v.omit("result", o.result);
}

BASE_JSON_DESCRIBED(RunningLrp)
BASE_JSON_DESCRIBED(TaskOutcome)

}  // namespace brain::api

namespace brain::link {

template <class V>
void describe(V& v, InstanceCall& o) {
    api::describe(v, o.key);
    api::describe(v, o.instance);
    v.omit("reason", o.reason);
}

template <class V>
void describe(V& v, TaskCall& o) {
    v.always("task_guid", o.task_guid);
    v.omit("cell_id", o.cell_id);
    v.omit("reason", o.reason);
}

template <class V>
void describe(V& v, CellCall& o) {
    v.always("cell_id", o.cell_id);
    v.omit("owner", o.owner);
    v.omit("digest", o.digest);
}

template <class V>
void describe(V& v, PresenceCall& o) {
    v.always("presence", o.presence);
    v.always("owner", o.owner);
    v.always("ttl_ms", o.ttl_ms);
}

template <class V>
void describe(V& v, ProcessCall& o) {
    v.always("process_guid", o.process_guid);
}

template <class V>
void describe(V& v, YesNo& o) {
    v.always("yes", o.yes);
}

template <class V>
void describe(V& v, Records& o) {
    v.always("unchanged", o.unchanged);
    v.always("lrps", o.lrps);
    v.always("tasks", o.tasks);
}

template <class V>
void describe(V& v, Refusal& o) {
    v.always("name", o.name);
    v.always("number", o.number);
    v.always("message", o.message);
}

BASE_JSON_DESCRIBED(InstanceCall)
BASE_JSON_DESCRIBED(TaskCall)
BASE_JSON_DESCRIBED(CellCall)
BASE_JSON_DESCRIBED(PresenceCall)
BASE_JSON_DESCRIBED(ProcessCall)
BASE_JSON_DESCRIBED(YesNo)
BASE_JSON_DESCRIBED(Records)
BASE_JSON_DESCRIBED(Refusal)

Refusal to_refusal(const base::Error& error) {
    const auto name = api::error_name(error);
    return {.name = std::string(name.empty() ? api::kUnknownError : name),
            .number = api::error_number(error),
            .message = error.text};
}

base::Error to_error(const Refusal& refusal, int status) {
    for (const auto& known : api::named_errors())
        if (known.name == refusal.name && known.name != api::kUnknownError)
            return {.kind = known.kind,
                    .sys = 0,
                    .text = refusal.message,
                    .where = base::Where::here()};
    const auto kind = status == 503 ? base::Errc::unavailable : base::Errc::internal;
    return base::fail(kind, "the brain answered {}: {}", status, refusal.message.substr(0, 512));
}

}  // namespace brain::link
