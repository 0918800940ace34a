#include "mirror.hpp"

#include "invariants.hpp"

namespace test {

namespace api = brain::api;
namespace model = brain::model;

// A row that took the place of the one that goes stays.
void Mirror::forget(const model::ActualPtr& row) {
    const auto found = rows_.find(place(row));
    if (found != rows_.end() && *found->second == *row) rows_.erase(found);
}

void Mirror::see(const api::Event& event) {
    switch (event.kind) {
        case api::EventKind::desired_lrp_created:
        case api::EventKind::desired_lrp_changed:
            desired_[event.desired_after->process_guid] = event.desired_after;
            break;
        case api::EventKind::desired_lrp_removed:
            desired_.erase(event.desired_before->process_guid);
            break;
        case api::EventKind::actual_lrp_created:
            rows_[place(event.actual_after)] = event.actual_after;
            break;
        case api::EventKind::actual_lrp_changed:
            forget(event.actual_before);
            rows_[place(event.actual_after)] = event.actual_after;
            break;
        case api::EventKind::actual_lrp_removed:
            forget(event.actual_before);
            break;
        case api::EventKind::actual_lrp_crashed:
            break;  // what follows says what became of it
        case api::EventKind::task_created:
        case api::EventKind::task_changed:
            tasks_[event.task_after->task_guid] = event.task_after;
            break;
        case api::EventKind::task_removed:
            tasks_.erase(event.task_before->task_guid);
            break;
    }
}

std::string Mirror::differs(const model::World& world) const {
    const auto rows = all_rows(world);
    if (rows.size() != rows_.size()) return "number of rows";
    for (const auto& row : rows) {
        const auto found = rows_.find(place(row));
        if (found == rows_.end() || !(*found->second == *row))
            return "row of " + row->key.process_guid;
    }
    const auto desired = world.desired_of("");
    if (desired.size() != desired_.size()) return "number of desired";
    for (const auto& lrp : desired)
        if (const auto found = desired_.find(lrp->process_guid);
            found == desired_.end() || found->second != lrp)
            return "desired " + lrp->process_guid;
    const auto tasks = world.tasks_of("");
    if (tasks.size() != tasks_.size()) return "number of tasks";
    for (const auto& task : tasks)
        if (const auto found = tasks_.find(task->task_guid);
            found == tasks_.end() || found->second != task)
            return "task " + task->task_guid;
    return "";
}

}  // namespace test
