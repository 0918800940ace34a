// Tasks, domains, cells and events of MapBrain.
#include "tests/unit/brain_receptor/map_brain.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace test {

using api::make_error;
using api::TaskState;

namespace {

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
}

}  // namespace

class MapEvents final : public api::EventStream {
  public:
    MapEvents(MapBrain& brain, std::shared_ptr<MapBrain::Queue> queue)
        : brain_(brain), queue_(std::move(queue)) {}

    base::Result<std::optional<api::Event>> next(std::chrono::milliseconds patience) override {
        std::unique_lock lock(brain_.mutex_);
        (void)brain_.changed_.wait_for(
                lock, patience, [&] { return queue_->over || !queue_->events.empty(); });
        if (queue_->over) return base::fail(base::Errc::cancelled, "the reader is behind");
        if (queue_->events.empty()) return std::optional<api::Event>();
        std::optional<api::Event> event(std::move(queue_->events.front()));
        queue_->events.pop_front();
        return event;
    }

  private:
    MapBrain& brain_;
    std::shared_ptr<MapBrain::Queue> queue_;
};

void MapBrain::say(api::Event event) {
    for (const auto& reader : readers_) {
        const auto queue = reader.lock();
        if (!queue || queue->over) continue;
        if (queue->events.size() >= api::kMaxQueuedEvents) {
            queue->over = true;
            queue->events.clear();
        } else {
            queue->events.push_back(event);
        }
    }
    changed_.notify_all();
}

base::Result<std::unique_ptr<api::EventStream>> MapBrain::subscribe() {
    const std::lock_guard lock(mutex_);
    const auto queue = std::make_shared<Queue>();
    std::erase_if(readers_, [](const auto& reader) { return reader.expired(); });
    readers_.push_back(queue);
    return std::unique_ptr<api::EventStream>(std::make_unique<MapEvents>(*this, queue));
}

void MapBrain::put(const api::Task& task) {
    auto& place = tasks_[task.task_guid];
    const auto before = place;
    place = std::make_shared<const api::Task>(task);
    say({.kind = before ? api::EventKind::task_changed : api::EventKind::task_created,
         .task_before = before,
         .task_after = place});
}

base::Result<api::Task> MapBrain::task_in(std::string_view guid, std::vector<TaskState> states) {
    const auto found = tasks_.find(guid);
    if (found == tasks_.end()) return make_error(api::kResourceNotFound);
    const auto& task = *found->second;
    if (std::ranges::find(states, task.state) == states.end())
        return make_error(
                api::kInvalidStateTransition,
                std::string("from ") + std::string(to_string(task.state)));
    return task;
}

void MapBrain::finish(
        api::Task task, bool failed, std::string_view reason, std::string_view result) {
    task.state = TaskState::completed;
    task.failed = failed;
    task.failure_reason = reason;
    task.result = result;
    task.cell_id.clear();
    task.updated_at = task.first_completed_at = now();
    put(task);
}

base::Result<void> MapBrain::desire_task(api::Task task) {
    const std::lock_guard lock(mutex_);
    if (tasks_.contains(task.task_guid)) return make_error(api::kResourceExists);
    task.state = TaskState::pending;
    task.created_at = task.updated_at = now();
    put(task);
    return base::ok;
}

base::Result<api::TaskPtr> MapBrain::find_task(std::string_view guid) {
    const std::lock_guard lock(mutex_);
    const auto found = tasks_.find(guid);
    if (found == tasks_.end()) return make_error(api::kResourceNotFound);
    return found->second;
}

base::Result<std::vector<api::TaskPtr>> MapBrain::list_tasks(std::string_view domain) {
    const std::lock_guard lock(mutex_);
    std::vector<api::TaskPtr> out;
    for (const auto& [guid, task] : tasks_)
        if (domain.empty() || task->domain == domain) out.push_back(task);
    return out;
}

base::Result<void> MapBrain::cancel_task(std::string_view guid) {
    const std::lock_guard lock(mutex_);
    auto task = TRY(task_in(guid, {TaskState::pending, TaskState::running}));
    finish(std::move(task), true, "task was cancelled", "");
    return base::ok;
}

base::Result<void> MapBrain::resolve_task(std::string_view guid) {
    const std::lock_guard lock(mutex_);
    auto task = TRY(task_in(guid, {TaskState::completed}));
    task.state = TaskState::resolving;
    put(task);
    return base::ok;
}

base::Result<void> MapBrain::delete_task(std::string_view guid) {
    const std::lock_guard lock(mutex_);
    (void)TRY(task_in(guid, {TaskState::resolving}));
    const auto found = tasks_.find(guid);
    const auto before = found->second;
    tasks_.erase(found);
    say({.kind = api::EventKind::task_removed, .task_before = before});
    return base::ok;
}

base::Result<bool> MapBrain::start_task(std::string_view guid, std::string_view cell_id) {
    const std::lock_guard lock(mutex_);
    auto task = TRY(task_in(guid, {TaskState::pending, TaskState::running}));
    if (task.state == TaskState::running) {
        if (task.cell_id == cell_id) return false;
        return make_error(api::kInvalidStateTransition);
    }
    task.state = TaskState::running;
    task.cell_id = cell_id;
    put(task);
    return true;
}

base::Result<api::Task> MapBrain::task(std::string_view guid) {
    return *TRY(find_task(guid));
}

base::Result<void> MapBrain::complete_task(const api::TaskOutcome& outcome) {
    const std::lock_guard lock(mutex_);
    auto task = TRY(task_in(outcome.task_guid, {TaskState::running}));
    if (task.cell_id != outcome.cell_id) return make_error(api::kRunningOnDifferentCell);
    finish(std::move(task), outcome.failed, outcome.failure_reason, outcome.result);
    return base::ok;
}

base::Result<void> MapBrain::reject_task(std::string_view guid, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    auto task = TRY(task_in(guid, {TaskState::pending, TaskState::running}));
    task.state = TaskState::pending;
    task.rejection_count += 1;
    task.rejection_reason = reason;
    put(task);
    return base::ok;
}

base::Result<std::vector<api::CellPresence>> MapBrain::list_cells() {
    const std::lock_guard lock(mutex_);
    std::vector<api::CellPresence> out;
    for (const auto& [id, cell] : cells_) out.push_back(cell);
    return out;
}

base::Result<void> MapBrain::put_presence(
        const api::CellPresence& presence, std::string_view, std::chrono::milliseconds) {
    const std::lock_guard lock(mutex_);
    cells_[presence.cell_id] = presence;
    return base::ok;
}

base::Result<void> MapBrain::release_presence(std::string_view cell_id, std::string_view) {
    const std::lock_guard lock(mutex_);
    cells_.erase(std::string(cell_id));
    return base::ok;
}

base::Result<void> MapBrain::upsert_domain(std::string_view name, std::chrono::seconds ttl) {
    const std::lock_guard lock(mutex_);
    using Time = std::chrono::steady_clock::time_point;
    domains_[std::string(name)] =
            ttl.count() == 0 ? Time::max() : std::chrono::steady_clock::now() + ttl;
    return base::ok;
}

base::Result<std::vector<std::string>> MapBrain::fresh_domains() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [name, until] : domains_)
        if (until > std::chrono::steady_clock::now()) out.push_back(name);
    return out;
}

base::Result<std::vector<api::Task>> MapBrain::tasks(std::string_view cell_id) {
    const std::lock_guard lock(mutex_);
    std::vector<api::Task> out;
    for (const auto& [guid, task] : tasks_)
        if (task->cell_id == cell_id) out.push_back(*task);
    return out;
}

base::Result<api::SyncAnswer> MapBrain::sync(std::string_view, std::string_view) {
    return base::fail(base::Errc::unsupported, "no cell of these tests asks for it");
}

}  // namespace test
