#include "invariants.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

namespace test {

namespace api = brain::api;
namespace model = brain::model;

std::vector<model::ActualPtr> all_rows(const model::World& world) {
    std::vector<model::ActualPtr> out;
    for (const auto& process : world.processes("", std::numeric_limits<std::size_t>::max()))
        out.insert(out.end(), process.rows.begin(), process.rows.end());
    return out;
}

namespace {

model::Counts count_again(const model::World& world) {
    model::Counts out;
    for (const auto& desired : world.desired_of("")) {
        out.desired_lrps += 1;
        out.desired_instances += static_cast<std::size_t>(desired->instances);
    }
    std::set<std::string> crashing;
    for (const auto& row : all_rows(world)) {
        const bool ordinary = row->presence == api::Presence::ordinary;
        const bool suspect = row->presence == api::Presence::suspect;
        out.evacuating += row->presence == api::Presence::evacuating;
        out.unclaimed += ordinary && row->state == api::LrpState::unclaimed;
        out.claimed += ordinary && row->state == api::LrpState::claimed;
        out.running += ordinary && row->state == api::LrpState::running;
        out.crashed += ordinary && row->state == api::LrpState::crashed;
        out.suspect_claimed += suspect && row->state == api::LrpState::claimed;
        out.suspect_running += suspect && row->state == api::LrpState::running;
        if (ordinary && row->state == api::LrpState::crashed)
            crashing.insert(row->key.process_guid);
    }
    out.crashing_desired = crashing.size();
    for (const auto& task : world.tasks_of("")) {
        out.tasks_pending += task->state == api::TaskState::pending;
        out.tasks_running += task->state == api::TaskState::running;
        out.tasks_completed += task->state == api::TaskState::completed;
        out.tasks_resolving += task->state == api::TaskState::resolving;
    }
    out.cells = world.cells().size();
    return out;
}

template <class Ptr>
bool same_records(const std::vector<Ptr>& a, const std::vector<Ptr>& b) {
    return a == b;  // the very same, in the same order
}

std::string broken_cells(const model::World& world) {
    std::map<std::string, std::vector<model::ActualPtr>> rows;
    std::map<std::string, std::vector<model::TaskPtr>> tasks;
    std::set<std::string> named;
    for (const auto& row : all_rows(world))
        if (const auto& cell = row->instance.cell_id; !cell.empty()) {
            rows[cell].push_back(row);
            named.insert(cell);
        }
    for (const auto& task : world.tasks_of(""))
        if (!task->cell_id.empty()) {
            tasks[task->cell_id].push_back(task);
            named.insert(task->cell_id);
        }
    if (world.cells_with_rows() != std::vector<std::string>(named.begin(), named.end()))
        return "cells_with_rows";
    for (const auto& cell : named) {
        if (!same_records(world.actuals_on(cell), rows[cell])) return "actuals_on " + cell;
        if (!same_records(world.tasks_on(cell), tasks[cell])) return "tasks_on " + cell;
        std::vector<api::ActualLrp> lrp_values;
        for (const auto& row : rows[cell]) lrp_values.push_back(*row);
        std::vector<api::Task> task_values;
        for (const auto& task : tasks[cell]) task_values.push_back(*task);
        if (world.digest(cell) != api::digest(cell, lrp_values, task_values))
            return "digest of " + cell;
    }
    return "";
}

std::string broken_domains(const model::World& world) {
    std::map<std::string, std::size_t> rows;
    std::map<std::string, std::vector<model::DesiredPtr>> desired;
    std::map<std::string, std::vector<model::TaskPtr>> tasks;
    std::set<std::string> named;
    for (const auto& row : all_rows(world)) rows[row->key.domain] += 1;
    for (const auto& lrp : world.desired_of("")) desired[lrp->domain].push_back(lrp);
    for (const auto& task : world.tasks_of("")) tasks[task->domain].push_back(task);
    for (const auto& [name, count] : rows) named.insert(name);
    for (const auto& [name, list] : desired) named.insert(name);
    for (const auto& [name, list] : tasks) named.insert(name);
    for (const auto& name : named) {
        if (!same_records(world.desired_of(name), desired[name])) return "desired_of " + name;
        if (!same_records(world.tasks_of(name), tasks[name])) return "tasks_of " + name;
        std::size_t seen = 0;
        for (const auto& group : world.groups_of_domain(name))
            for (const auto& row : {group.ordinary, group.evacuating, group.suspect})
                if (row) seen += std::size_t{row->key.domain == name ? 1U : 1'000'000U};
        if (seen != rows[name]) return "groups_of_domain " + name;
    }
    return "";
}

}  // namespace

std::string broken(const model::World& world) {
    if (world.counts() != count_again(world)) return "counts";
    if (auto text = broken_cells(world); !text.empty()) return text;
    if (auto text = broken_domains(world); !text.empty()) return text;
    for (const auto state :
         {api::TaskState::pending, api::TaskState::running, api::TaskState::completed,
          api::TaskState::resolving}) {
        auto tasks = world.tasks_of("");
        std::erase_if(tasks, [&](const auto& task) { return task->state != state; });
        if (!same_records(world.tasks_in(state), tasks)) return "tasks_in";
    }
    std::size_t rows = 0;
    for (const auto& process : world.processes("", std::numeric_limits<std::size_t>::max())) {
        if (!process.desired && process.rows.empty()) return "an empty process";
        if (process.version != world.version(process.process_guid)) return "version";
        rows += process.rows.size();
        for (const auto& row : process.rows) {
            const auto group = world.group(row->key.process_guid, row->key.index);
            if (row != group.ordinary && row != group.evacuating && row != group.suspect)
                return "group";
        }
    }
    std::size_t grouped = 0;
    for (const auto& group : world.groups_of_domain(""))
        for (const auto& row : {group.ordinary, group.evacuating, group.suspect})
            grouped += row != nullptr;
    return rows == grouped ? "" : "groups_of_domain of all";
}

}  // namespace test
