// Tasks: work that runs once and leaves a result (bbs-api §6, lifecycle §2). Used by brain and rep.
#pragma once

#include "brain/api/definition.hpp"

namespace brain::api {

inline constexpr std::size_t kMaxResult = 51'200;  // bytes of a result (executor-rep §17.5)

struct TaskDefinition {
    Definition definition;  // flat on the wire
    std::string result_file;
    std::string completion_callback_url;
    bool operator==(const TaskDefinition&) const = default;
};

enum class TaskState : std::uint8_t { invalid, pending, running, completed, resolving };

struct Task {
    TaskDefinition task_definition;
    std::string task_guid;
    std::string domain;
    std::int64_t created_at = 0;  // this and the next two: ns since 1970
    std::int64_t updated_at = 0;
    std::int64_t first_completed_at = 0;
    TaskState state = TaskState::invalid;
    std::string cell_id;
    std::string result;
    bool failed = false;
    std::string failure_reason;
    std::int32_t rejection_count = 0;
    std::string rejection_reason;
    bool operator==(const Task&) const = default;
};

std::string_view to_string(TaskState value);  // "Pending", …

void to_json(base::json::Writer& w, const TaskDefinition& v);
void to_json(base::json::Writer& w, const TaskState& v);
void to_json(base::json::Writer& w, const Task& v);

base::Result<void> from_json(const base::json::Node& node, TaskDefinition& v);
base::Result<void> from_json(const base::json::Node& node, TaskState& v);
base::Result<void> from_json(const base::json::Node& node, Task& v);

}  // namespace brain::api
