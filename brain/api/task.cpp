#include "brain/api/task.hpp"

#include "base/json_describe.hpp"
#include "brain/api/describe_definition.hpp"
#include "brain/api/enum_json.hpp"

namespace brain::api {

namespace {

constexpr auto kStates = std::to_array<std::string_view>(
        {"Invalid", "Pending", "Running", "Completed", "Resolving"});

}  // namespace

std::string_view to_string(TaskState value) {
    return kStates[static_cast<std::size_t>(value)];
}

void to_json(base::json::Writer& w, const TaskState& v) {
    w.value(to_string(v));
}

base::Result<void> from_json(const base::json::Node& node, TaskState& v) {
    return read_word(node, kStates, v);
}

template <class V>
void describe(V& v, TaskDefinition& o) {
    describe(v, o.definition);
    v.omit("result_file", o.result_file);
    v.omit("completion_callback_url", o.completion_callback_url);
}

template <class V>
void describe(V& v, Task& o) {
    v.always("task_definition", o.task_definition);
    v.always("task_guid", o.task_guid);
    v.always("domain", o.domain);
    v.always("created_at", o.created_at);
    v.always("updated_at", o.updated_at);
    v.always("first_completed_at", o.first_completed_at);
    v.always("state", o.state);
    v.always("cell_id", o.cell_id);
    v.always("result", o.result);
    v.always("failed", o.failed);
    v.always("failure_reason", o.failure_reason);
    v.always("rejection_count", o.rejection_count);
    v.always("rejection_reason", o.rejection_reason);
}

BASE_JSON_DESCRIBED(TaskDefinition)
BASE_JSON_DESCRIBED(Task)

}  // namespace brain::api
