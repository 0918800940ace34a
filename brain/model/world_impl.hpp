// The tables behind World: nodes that never move, and indexes that point at them. Private to
// brain/model.
#pragma once

#include "brain/model/world.hpp"

#include <array>
#include <map>
#include <set>
#include <utility>

namespace brain::model {

using Place = std::pair<std::int32_t, api::Presence>;

struct Row {
    ActualPtr lrp;
    api::Digest digest;  // what it adds to that of its cell
};

struct Process {
    DesiredPtr desired;
    std::map<Place, Row> rows;
    std::uint64_t version = 0;
    std::size_t crashed = 0;  // ordinary rows
};

struct TaskRow {
    TaskPtr task;
    api::Digest digest;
};

// By what never changes while a node is in an index: a change of the record beside it is free.
struct ByKey {
    bool operator()(const Row* a, const Row* b) const {
        const auto& left = *a->lrp;
        const auto& right = *b->lrp;
        if (const int order = left.key.process_guid.compare(right.key.process_guid); order != 0)
            return order < 0;
        return Place(left.key.index, left.presence) < Place(right.key.index, right.presence);
    }

    bool operator()(const TaskRow* a, const TaskRow* b) const {
        return a->task->task_guid < b->task->task_guid;
    }

    bool operator()(const Process* a, const Process* b) const {
        return a->desired->process_guid < b->desired->process_guid;
    }
};

struct OnCell {
    std::set<const Row*, ByKey> rows;
    std::set<const TaskRow*, ByKey> tasks;
    api::Digest digest;
};

struct OfDomain {
    std::set<const Process*, ByKey> desired;
    std::map<std::string_view, std::size_t> processes;  // how many rows each has
    std::set<const TaskRow*, ByKey> tasks;
};

template <class T>
using ByName = std::map<std::string, T, std::less<>>;

struct World::Impl {
    ByName<Process> processes;
    ByName<TaskRow> tasks;
    ByName<DomainPtr> domain_records;
    ByName<CellPtr> cell_records;
    ByName<OnCell> on_cell;      // only those that something names
    ByName<OfDomain> of_domain;  // only those that something is of
    std::array<std::set<const TaskRow*, ByKey>, 5> by_state;
    Counts counts;
    std::uint64_t version = 0;  // one for all, so that a process that returns does not count again

    void apply(const Changed<DesiredPtr>& change);
    void apply(const Changed<ActualPtr>& change);
    void apply(const Changed<TaskPtr>& change);
    void apply(const Changed<DomainPtr>& change);
    void apply(const Changed<CellPtr>& change);

  private:
    using ProcessEntry = ByName<Process>::value_type;

    void insert(ProcessEntry& process, const ActualPtr& lrp);
    void erase(ProcessEntry& process, const ActualPtr& lrp);
    void replace(ProcessEntry& process, const ActualPtr& before, const ActualPtr& after);
    void enter_cell(Row& row);
    void leave_cell(const Row& row);
    void count(Process& process, const api::ActualLrp& lrp, bool adding);
    void enter(TaskRow& row);
    void leave(const TaskRow& row);
};

}  // namespace brain::model
