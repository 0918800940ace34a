#include "brain/model/task_rules.hpp"

#include "base/fail.hpp"
#include "brain/api/errors.hpp"
#include "brain/model/draft.hpp"
#include "brain/model/task_change.hpp"

namespace brain::model {

using api::EventKind;
using api::make_error;
using api::Task;
using api::TaskState;

std::string truncated(std::string_view reason) {
    constexpr std::string_view kMark = "(truncated)";
    if (reason.size() <= kMaxReason) return std::string(reason);
    std::size_t end = kMaxReason - kMark.size();
    // Not within a character: what continues one is 10xxxxxx, at most three of them.
    const auto continues = [&](std::size_t at) {
        return (static_cast<unsigned char>(reason[at]) & 0xC0U) == 0x80U;
    };
    for (int back = 0; back < 3 && continues(end); ++back) --end;
    return std::string(reason.substr(0, end)).append(kMark);
}

void record(Outcome& out, TaskPtr before, TaskPtr after) {
    api::Event event;
    event.kind = !before ? EventKind::task_created
                 : after ? EventKind::task_changed
                         : EventKind::task_removed;
    event.task_before = before;
    event.task_after = after;
    out.events.push_back(std::move(event));
    out.changes.emplace_back(
            Changed<TaskPtr>{.before = std::move(before), .after = std::move(after)});
}

void finish(
        Task& task,
        std::int64_t now,
        bool failed,
        std::string_view failure_reason,
        std::string result) {
    task.state = TaskState::completed;
    task.failed = failed;
    task.failure_reason = truncated(failure_reason);
    task.result = std::move(result);
    task.updated_at = now;
    task.first_completed_at = now;
}

void call_back(Outcome& out, const TaskPtr& task) {
    if (!task->task_definition.completion_callback_url.empty()) out.callbacks.push_back(task);
}

namespace {

base::Error cannot_become(const Task& task, TaskState to) {
    return make_error(
            api::kInvalidStateTransition,
            base::format("from {} to {}", to_string(task.state), to_string(to)));
}

base::Result<TaskPtr> find(const Context& ctx, std::string_view task_guid) {
    auto task = ctx.world.task(task_guid);
    if (!task) return make_error(api::kResourceNotFound);
    return task;
}

bool is_open(const Task& task) {
    return task.state == TaskState::pending || task.state == TaskState::running;
}

Outcome finished(
        const Context& ctx,
        const TaskPtr& before,
        Task next,
        bool failed,
        std::string_view failure_reason,
        std::string result) {
    finish(next, ctx.now, failed, failure_reason, std::move(result));
    next.cell_id.clear();
    const auto after = std::make_shared<const Task>(std::move(next));
    Outcome out;
    record(out, before, after);
    call_back(out, after);
    return out;
}

}  // namespace

base::Result<Outcome> desire_task(const Context& ctx, Task task) {
    TRY(check_name("task_guid", task.task_guid));
    TRY(check_name("domain", task.domain));
    if (ctx.world.task(task.task_guid)) return make_error(api::kResourceExists);
    // Whatever else a client has put in belongs to the brain.
    Task next;
    next.task_definition = std::move(task.task_definition);
    next.task_guid = std::move(task.task_guid);
    next.domain = std::move(task.domain);
    next.created_at = ctx.now;
    next.updated_at = ctx.now;
    next.state = TaskState::pending;
    const auto after = std::make_shared<const Task>(std::move(next));
    Outcome out;
    record(out, nullptr, after);
    out.task_starts.push_back(after);
    return out;
}

base::Result<StartedTask> start_task(
        const Context& ctx, std::string_view task_guid, std::string_view cell_id) {
    TRY(check_name("cell_id", cell_id));
    const auto before = TRY(find(ctx, task_guid));
    if (before->state == TaskState::running && before->cell_id == cell_id) return StartedTask();
    if (before->state != TaskState::pending) return cannot_become(*before, TaskState::running);
    Task next = *before;
    next.state = TaskState::running;
    next.cell_id = cell_id;
    next.updated_at = ctx.now;
    StartedTask started;
    started.should_start = true;
    record(started.outcome, before, std::make_shared<const Task>(std::move(next)));
    return started;
}

base::Result<Outcome> complete_task(const Context& ctx, const api::TaskOutcome& outcome) {
    const auto before = TRY(find(ctx, outcome.task_guid));
    if (before->state != TaskState::running) return cannot_become(*before, TaskState::completed);
    if (before->cell_id != outcome.cell_id)
        return make_error(
                api::kRunningOnDifferentCell,
                base::format("{} not {}", before->cell_id, outcome.cell_id));
    if (outcome.result.size() > api::kMaxResult)
        return make_error(
                api::kInvalidRequest,
                base::format(
                        "Invalid field: result: {} bytes exceed the limit of {}",
                        outcome.result.size(), api::kMaxResult));
    return finished(ctx, before, *before, outcome.failed, outcome.failure_reason, outcome.result);
}

base::Result<Outcome> cancel_task(const Context& ctx, std::string_view task_guid) {
    const auto before = TRY(find(ctx, task_guid));
    if (!is_open(*before)) return cannot_become(*before, TaskState::completed);
    auto out = finished(ctx, before, *before, true, "task was cancelled", {});
    if (before->state == TaskState::running)
        out.cancels.push_back({.task_guid = before->task_guid, .cell_id = before->cell_id});
    return out;
}

base::Result<Outcome> fail_task(
        const Context& ctx, std::string_view task_guid, std::string_view reason) {
    const auto before = TRY(find(ctx, task_guid));
    if (!is_open(*before)) return cannot_become(*before, TaskState::completed);
    return finished(ctx, before, *before, true, reason, {});
}

// Offered again by convergence, not at once.
base::Result<Outcome> reject_task(
        const Context& ctx, std::string_view task_guid, std::string_view reason) {
    const auto before = TRY(find(ctx, task_guid));
    if (!is_open(*before))
        return make_error(
                api::kInvalidRequest,
                base::format("a task that is {} cannot be rejected", to_string(before->state)));
    Task next = *before;
    next.rejection_count += 1;
    next.rejection_reason = truncated(reason);
    if (before->rejection_count >= ctx.limits.max_task_retries)
        return finished(ctx, before, std::move(next), true, reason, {});
    next.state = TaskState::pending;
    next.updated_at = ctx.now;
    Outcome out;
    record(out, before, std::make_shared<const Task>(std::move(next)));
    return out;
}

base::Result<Outcome> resolve_task(const Context& ctx, std::string_view task_guid) {
    const auto before = TRY(find(ctx, task_guid));
    if (before->state != TaskState::completed) return cannot_become(*before, TaskState::resolving);
    Task next = *before;
    next.state = TaskState::resolving;
    next.updated_at = ctx.now;
    Outcome out;
    record(out, before, std::make_shared<const Task>(std::move(next)));
    return out;
}

base::Result<Outcome> delete_task(const Context& ctx, std::string_view task_guid) {
    const auto before = TRY(find(ctx, task_guid));
    if (before->state != TaskState::resolving)
        return make_error(
                api::kInvalidStateTransition,
                base::format("from {} to removed", to_string(before->state)));
    Outcome out;
    record(out, before, nullptr);
    return out;
}

}  // namespace brain::model
