// Changing the tables: every index, count and digest with each record.
#include "base/error.hpp"
#include "brain/model/world_impl.hpp"

namespace brain::model {

using api::ActualLrp;
using api::LrpState;
using api::Presence;
using api::TaskState;

namespace {

// The rules plan from what is there; a record that is not what they saw means that they, or who
// applies, are wrong, and that the store behind would be, too.
template <class Ptr>
void must_be(const Ptr& there, const Ptr& before, std::string_view what) {
    if (there == before) return;
    if (there == nullptr || before == nullptr || !(*there == *before))
        base::panic(std::string("world: a changed record is not what is there: ").append(what));
}

Place place_of(const ActualLrp& lrp) {
    return {lrp.key.index, lrp.presence};
}

std::size_t* counter_of(Counts& counts, const ActualLrp& lrp) {
    if (lrp.presence == Presence::evacuating) return &counts.evacuating;
    const bool suspect = lrp.presence == Presence::suspect;
    switch (lrp.state) {
        case LrpState::invalid:
            return nullptr;
        case LrpState::unclaimed:
            return suspect ? nullptr : &counts.unclaimed;
        case LrpState::claimed:
            return suspect ? &counts.suspect_claimed : &counts.claimed;
        case LrpState::running:
            return suspect ? &counts.suspect_running : &counts.running;
        case LrpState::crashed:
            return suspect ? nullptr : &counts.crashed;
    }
    return nullptr;
}

std::size_t* counter_of(Counts& counts, TaskState state) {
    switch (state) {
        case TaskState::invalid:
            return nullptr;
        case TaskState::pending:
            return &counts.tasks_pending;
        case TaskState::running:
            return &counts.tasks_running;
        case TaskState::completed:
            return &counts.tasks_completed;
        case TaskState::resolving:
            return &counts.tasks_resolving;
    }
    return nullptr;
}

template <class Record>
api::Digest digest_of(const Record& record, std::string_view cell_id) {
    api::Digest out;
    if (api::counts_for(record, cell_id)) out.add(record);
    return out;
}

void drop_if_empty(ByName<OnCell>& cells, ByName<OnCell>::iterator cell) {
    if (cell->second.rows.empty() && cell->second.tasks.empty()) cells.erase(cell);
}

void drop_if_empty(ByName<OfDomain>& domains, ByName<OfDomain>::iterator domain) {
    const auto& of = domain->second;
    if (of.desired.empty() && of.processes.empty() && of.tasks.empty()) domains.erase(domain);
}

template <class Ptr>
void replace_record(ByName<Ptr>& records, const std::string& name, const Changed<Ptr>& change) {
    const auto found = records.find(name);
    must_be(found == records.end() ? Ptr() : found->second, change.before, name);
    if (change.after)
        records.insert_or_assign(name, change.after);
    else
        records.erase(found);
}

}  // namespace

void World::Impl::apply(const Changed<DesiredPtr>& change) {
    const auto& guid = (change.after ? change.after : change.before)->process_guid;
    auto& entry = *processes.try_emplace(guid).first;
    auto& process = entry.second;
    must_be(process.desired, change.before, guid);
    if (change.before) {
        const auto domain = of_domain.find(change.before->domain);
        domain->second.desired.erase(&process);
        drop_if_empty(of_domain, domain);
        counts.desired_lrps -= 1;
        counts.desired_instances -= static_cast<std::size_t>(change.before->instances);
    }
    process.desired = change.after;
    process.version = ++version;
    if (change.after) {
        of_domain[change.after->domain].desired.insert(&process);
        counts.desired_lrps += 1;
        counts.desired_instances += static_cast<std::size_t>(change.after->instances);
    } else if (process.rows.empty()) {
        processes.erase(processes.find(guid));
    }
}

void World::Impl::count(Process& process, const ActualLrp& lrp, bool adding) {
    auto* counter = counter_of(counts, lrp);
    if (counter == nullptr) return;
    *counter += adding ? 1 : static_cast<std::size_t>(-1);
    if (counter != &counts.crashed) return;
    if (adding && process.crashed++ == 0) counts.crashing_desired += 1;
    if (!adding && --process.crashed == 0) counts.crashing_desired -= 1;
}

void World::Impl::enter_cell(Row& row) {
    const auto& cell_id = row.lrp->instance.cell_id;
    row.digest = digest_of(*row.lrp, cell_id);
    if (cell_id.empty()) return;
    auto& cell = on_cell[cell_id];
    cell.rows.insert(&row);
    cell.digest.add(row.digest);
}

void World::Impl::leave_cell(const Row& row) {
    const auto cell = on_cell.find(row.lrp->instance.cell_id);
    if (cell == on_cell.end()) return;
    cell->second.rows.erase(&row);
    cell->second.digest.remove(row.digest);
    drop_if_empty(on_cell, cell);
}

void World::Impl::insert(ProcessEntry& process, const ActualPtr& lrp) {
    const auto [at, is_new] = process.second.rows.try_emplace(place_of(*lrp));
    if (!is_new) base::panic("world: a row is created where there is one: " + process.first);
    at->second.lrp = lrp;
    of_domain[lrp->key.domain].processes[process.first] += 1;
    count(process.second, *lrp, true);
    enter_cell(at->second);
}

void World::Impl::erase(ProcessEntry& process, const ActualPtr& lrp) {
    const auto at = process.second.rows.find(place_of(*lrp));
    if (at == process.second.rows.end())
        base::panic("world: a row is removed that is not there: " + process.first);
    must_be(at->second.lrp, lrp, process.first);
    leave_cell(at->second);
    count(process.second, *lrp, false);
    const auto domain = of_domain.find(lrp->key.domain);
    const auto rows = domain->second.processes.find(process.first);
    if (--rows->second == 0) domain->second.processes.erase(rows);
    drop_if_empty(of_domain, domain);
    process.second.rows.erase(at);
}

void World::Impl::replace(ProcessEntry& process, const ActualPtr& before, const ActualPtr& after) {
    const auto at = process.second.rows.find(place_of(*before));
    if (at == process.second.rows.end())
        base::panic("world: a row is changed that is not there: " + process.first);
    auto& row = at->second;
    must_be(row.lrp, before, process.first);
    count(process.second, *before, false);
    count(process.second, *after, true);
    if (before->instance.cell_id == after->instance.cell_id && !after->instance.cell_id.empty()) {
        auto& digest = on_cell.find(after->instance.cell_id)->second.digest;
        digest.remove(row.digest);
        row.lrp = after;
        row.digest = digest_of(*after, after->instance.cell_id);
        digest.add(row.digest);
        return;
    }
    leave_cell(row);
    row.lrp = after;
    enter_cell(row);
}

void World::Impl::apply(const Changed<ActualPtr>& change) {
    const auto& before = change.before;
    const auto& after = change.after;
    const auto& key = (after ? after : before)->key;
    if (before && after &&
        (before->key.process_guid != key.process_guid || before->key.index != key.index))
        base::panic("world: one change names two instances: " + key.process_guid);
    auto& process = *processes.try_emplace(key.process_guid).first;
    if (before && after && before->presence == after->presence &&
        before->key.domain == after->key.domain) {
        replace(process, before, after);
    } else {
        if (before) erase(process, before);
        if (after) insert(process, after);
    }
    process.second.version = ++version;
    if (!process.second.desired && process.second.rows.empty())
        processes.erase(processes.find(key.process_guid));
}

void World::Impl::enter(TaskRow& row) {
    const auto& task = *row.task;
    if (auto* counter = counter_of(counts, task.state)) *counter += 1;
    by_state[static_cast<std::size_t>(task.state)].insert(&row);
    of_domain[task.domain].tasks.insert(&row);
    row.digest = digest_of(task, task.cell_id);
    if (task.cell_id.empty()) return;
    auto& cell = on_cell[task.cell_id];
    cell.tasks.insert(&row);
    cell.digest.add(row.digest);
}

void World::Impl::leave(const TaskRow& row) {
    const auto& task = *row.task;
    if (auto* counter = counter_of(counts, task.state)) *counter -= 1;
    by_state[static_cast<std::size_t>(task.state)].erase(&row);
    const auto domain = of_domain.find(task.domain);
    domain->second.tasks.erase(&row);
    drop_if_empty(of_domain, domain);
    const auto cell = on_cell.find(task.cell_id);
    if (cell == on_cell.end()) return;
    cell->second.tasks.erase(&row);
    cell->second.digest.remove(row.digest);
    drop_if_empty(on_cell, cell);
}

void World::Impl::apply(const Changed<TaskPtr>& change) {
    const auto& guid = (change.after ? change.after : change.before)->task_guid;
    const auto [at, is_new] = tasks.try_emplace(guid);
    must_be(at->second.task, change.before, guid);
    if (change.before) leave(at->second);
    at->second.task = change.after;
    if (change.after)
        enter(at->second);
    else
        tasks.erase(at);
}

void World::Impl::apply(const Changed<DomainPtr>& change) {
    replace_record(domain_records, (change.after ? change.after : change.before)->name, change);
}

void World::Impl::apply(const Changed<CellPtr>& change) {
    replace_record(
            cell_records, (change.after ? change.after : change.before)->presence.cell_id, change);
    counts.cells = cell_records.size();
}

void World::apply(const RecordChange& change) {
    std::visit(
            [this](const auto& c) {
                if (!c.before && !c.after) base::panic("world: a change of nothing");
                impl_->apply(c);
            },
            change);
}

}  // namespace brain::model
