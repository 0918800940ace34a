// Tasks (lifecycle §2), the digest exchange, presence.
#include "base/fail.hpp"
#include "brain/api/digest.hpp"
#include "rep/core/memory_brain.hpp"

#include <algorithm>

namespace rep::core {

using brain::api::make_error;
using brain::api::Task;
using brain::api::TaskState;

namespace {

constexpr std::int32_t kMaxRetries = 3;

base::Error no_transition(const Task& task, std::string_view to) {
    return make_error(
            brain::api::kInvalidStateTransition,
            base::format("from {} to {}", to_string(task.state), to));
}

}  // namespace

void MemoryBrain::finish(Task& task, bool failed, std::string reason, std::string result) {
    task.state = TaskState::completed;
    task.failed = failed;
    task.failure_reason = std::move(reason);
    task.result = std::move(result);
    task.cell_id.clear();
    task.updated_at = now();
    task.first_completed_at = task.updated_at;
}

base::Result<bool> MemoryBrain::start_task(std::string_view task_guid, std::string_view cell_id) {
    const std::lock_guard lock(mutex_);
    const auto found = tasks_.find(task_guid);
    if (found == tasks_.end()) return make_error(brain::api::kResourceNotFound);
    auto& task = found->second;
    if (task.state == TaskState::running && task.cell_id == cell_id) return false;
    if (task.state != TaskState::pending) return no_transition(task, "Running");
    task.state = TaskState::running;
    task.cell_id = cell_id;
    task.updated_at = now();
    return true;
}

base::Result<Task> MemoryBrain::task(std::string_view task_guid) {
    const std::lock_guard lock(mutex_);
    const auto found = tasks_.find(task_guid);
    if (found == tasks_.end()) return make_error(brain::api::kResourceNotFound);
    return found->second;
}

base::Result<void> MemoryBrain::complete_task(const brain::api::TaskOutcome& outcome) {
    const std::lock_guard lock(mutex_);
    const auto found = tasks_.find(outcome.task_guid);
    if (found == tasks_.end()) return make_error(brain::api::kResourceNotFound);
    auto& task = found->second;
    if (task.state != TaskState::running) return no_transition(task, "Completed");
    if (task.cell_id != outcome.cell_id)
        return make_error(
                brain::api::kRunningOnDifferentCell,
                base::format("{} not {}", task.cell_id, outcome.cell_id));
    finish(task, outcome.failed, outcome.failure_reason, outcome.result);
    return base::ok;
}

base::Result<void> MemoryBrain::reject_task(std::string_view task_guid, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    const auto found = tasks_.find(task_guid);
    if (found == tasks_.end()) return make_error(brain::api::kResourceNotFound);
    auto& task = found->second;
    if (task.state != TaskState::pending && task.state != TaskState::running)
        return make_error(brain::api::kInvalidRequest);
    const bool last = task.rejection_count >= kMaxRetries;
    task.rejection_count += 1;
    task.rejection_reason = reason;
    if (last) {
        finish(task, true, std::string(reason), {});
        return base::ok;
    }
    task.state = TaskState::pending;
    task.updated_at = now();
    auctions_.tasks.push_back(task.task_guid);
    return base::ok;
}

base::Result<void> MemoryBrain::desire_task(Task task) {
    const std::lock_guard lock(mutex_);
    if (tasks_.contains(task.task_guid)) return make_error(brain::api::kResourceExists);
    task.state = TaskState::pending;
    task.created_at = task.updated_at = now();
    auctions_.tasks.push_back(task.task_guid);
    auto guid = task.task_guid;
    tasks_.emplace(std::move(guid), std::move(task));
    return base::ok;
}

base::Result<void> MemoryBrain::cancel_task(std::string_view task_guid) {
    const std::lock_guard lock(mutex_);
    const auto found = tasks_.find(task_guid);
    if (found == tasks_.end()) return make_error(brain::api::kResourceNotFound);
    auto& task = found->second;
    if (task.state != TaskState::pending && task.state != TaskState::running)
        return no_transition(task, "Completed");
    finish(task, true, "task was cancelled", {});
    return base::ok;
}

void MemoryBrain::put(Task task) {
    const std::lock_guard lock(mutex_);
    auto guid = task.task_guid;
    tasks_.insert_or_assign(std::move(guid), std::move(task));
}

std::vector<Task> MemoryBrain::all_tasks() const {
    const std::lock_guard lock(mutex_);
    std::vector<Task> out;
    for (const auto& [guid, task] : tasks_) out.push_back(task);
    return out;
}

base::Result<std::vector<Task>> MemoryBrain::tasks(std::string_view cell_id) {
    auto out = all_tasks();
    std::erase_if(out, [&](const auto& task) { return task.cell_id != cell_id; });
    return out;
}

base::Result<brain::api::SyncAnswer> MemoryBrain::sync(
        std::string_view cell_id, std::string_view digest) {
    auto lrps = TRY(actual_lrps(cell_id));
    auto of_cell = TRY(tasks(cell_id));
    if (!digest.empty() && brain::api::digest(cell_id, lrps, of_cell) == digest)
        return brain::api::SyncAnswer{.unchanged = true, .lrps = {}, .tasks = {}};
    return brain::api::SyncAnswer{
            .unchanged = false, .lrps = std::move(lrps), .tasks = std::move(of_cell)};
}

base::Result<void> MemoryBrain::put_presence(
        const brain::api::CellPresence& presence,
        std::string_view owner,
        std::chrono::milliseconds time_to_live) {
    const std::lock_guard lock(mutex_);
    const auto found = leases_.find(presence.cell_id);
    if (found != leases_.end() && found->second.owner != owner &&
        found->second.until > clock_.monotonic())
        return make_error(brain::api::kResourceConflict, "lock-collision");
    leases_[presence.cell_id] = {
            .presence = presence,
            .owner = std::string(owner),
            .until = clock_.monotonic() + time_to_live};
    return base::ok;
}

base::Result<void> MemoryBrain::release_presence(std::string_view cell_id, std::string_view owner) {
    const std::lock_guard lock(mutex_);
    const auto found = leases_.find(cell_id);
    if (found == leases_.end()) return base::ok;
    if (found->second.owner != owner)
        return make_error(brain::api::kResourceConflict, "lock-collision");
    leases_.erase(found);
    return base::ok;
}

std::vector<brain::api::CellPresence> MemoryBrain::cells() const {
    const std::lock_guard lock(mutex_);
    std::vector<brain::api::CellPresence> out;
    for (const auto& [id, lease] : leases_)
        if (lease.until > clock_.monotonic()) out.push_back(lease.presence);
    return out;
}

}  // namespace rep::core
