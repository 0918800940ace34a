// The pass over tasks (lifecycle §2.2).
#include "brain/model/converge.hpp"
#include "brain/model/task_change.hpp"
#include "brain/model/verdict.hpp"

namespace brain::model {

using api::Task;
using api::TaskState;

namespace {

// Steps 2 and 4: the cell stays named, and who waits for the task is told a kick later.
Outcome failed(const Context& ctx, const TaskPtr& before, std::string_view reason) {
    Task next = *before;
    finish(next, ctx.now, true, reason, {});
    Outcome out;
    record(out, before, std::make_shared<const Task>(std::move(next)));
    return out;
}

bool is_expired(const Context& ctx, const Task& task, const Surroundings& around) {
    return around.now - task.first_completed_at > ctx.limits.completed_task_ns;
}

// Step 5, then what steps 6 and 7 make of the demoted one.
Outcome demoted(const Context& ctx, const TaskPtr& before, const Surroundings& around) {
    Task next = *before;
    next.state = TaskState::completed;
    const auto after = std::make_shared<const Task>(std::move(next));
    Outcome out;
    record(out, before, after);
    if (is_expired(ctx, *after, around))
        record(out, after, nullptr);
    else
        call_back(out, after);
    return out;
}

}  // namespace

Outcome plan_task(const Context& ctx, const TaskPtr& task, const Surroundings& around) {
    Outcome out;
    const bool kicked =
            has_turn(task->updated_at, ctx.limits.task_kick_ns, around.previous, around.now);
    switch (task->state) {
        case TaskState::invalid:
            break;
        case TaskState::pending:
            if (around.now - task->created_at > ctx.limits.pending_task_ns)
                return failed(ctx, task, "not started within time limit");
            if (kicked) out.task_starts.push_back(task);
            break;
        case TaskState::running:
            if (!around.cells.contains(task->cell_id))
                return failed(ctx, task, "cell disappeared before completion");
            break;
        case TaskState::completed:
            if (is_expired(ctx, *task, around))
                record(out, task, nullptr);
            else if (kicked)
                call_back(out, task);
            break;
        case TaskState::resolving:
            if (around.now - task->updated_at > ctx.limits.task_kick_ns)
                return demoted(ctx, task, around);
            break;
    }
    return out;
}

Outcome plan_task(const Context& ctx, const Task& task, const Surroundings& around) {
    return plan_task(ctx, std::make_shared<const Task>(task), around);
}

std::optional<std::int64_t> next_due(const Task& task, const Limits& limits, std::int64_t now) {
    const std::int64_t kick = next_turn(task.updated_at, limits.task_kick_ns, now);
    switch (task.state) {
        case TaskState::invalid:
        case TaskState::running:
            return std::nullopt;
        case TaskState::pending:
            return std::min(kick, task.created_at + limits.pending_task_ns + 1);
        case TaskState::completed: {
            const std::int64_t expiry = task.first_completed_at + limits.completed_task_ns + 1;
            if (task.task_definition.completion_callback_url.empty()) return expiry;
            return std::min(kick, expiry);
        }
        case TaskState::resolving:
            return task.updated_at + limits.task_kick_ns + 1;
    }
    return std::nullopt;
}

}  // namespace brain::model
