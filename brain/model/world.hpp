// World: every record of the brain in memory, indexed by process, cell, domain and state, with each
// cell's digest kept up to date. Changed only by apply(); the rules read it and say what to change.
// Used by brain/core under its lock; no lock of its own.
#pragma once

#include "brain/api/cell.hpp"
#include "brain/api/digest.hpp"
#include "brain/api/event.hpp"
#include "brain/api/public_brain.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace brain::model {

using api::ActualPtr;
using api::DesiredPtr;
using api::TaskPtr;

struct Domain {
    std::string name;
    std::int64_t expires_at = 0;  // ns since 1970; 0: never
    bool operator==(const Domain&) const = default;
};

struct Cell {
    api::CellPresence presence;
    std::string owner;  // one per run of a rep
    bool operator==(const Cell&) const = default;
};

using CellPtr = std::shared_ptr<const Cell>;
using DomainPtr = std::shared_ptr<const Domain>;

// One record: created (no before), removed (no after) or changed. Both of an ActualPtr are of one
// process and index; when the presence differs, the row has moved.
template <class Ptr>
struct Changed {
    Ptr before, after;
};

using RecordChange = std::variant<
        Changed<DesiredPtr>,
        Changed<ActualPtr>,
        Changed<TaskPtr>,
        Changed<DomainPtr>,
        Changed<CellPtr>>;

// A process as a planner sees it, outside the lock.
struct ProcessView {
    std::string process_guid;
    DesiredPtr desired;           // null: orphans
    std::vector<ActualPtr> rows;  // by index, then presence
    std::uint64_t version = 0;    // grows with each change of any of it
};

struct Counts {
    std::size_t desired_lrps = 0, desired_instances = 0;
    std::size_t unclaimed = 0, claimed = 0, running = 0, crashed = 0;  // ordinary rows
    std::size_t crashing_desired = 0;  // processes with a crashed ordinary row
    std::size_t suspect_running = 0, suspect_claimed = 0, evacuating = 0;
    std::size_t tasks_pending = 0, tasks_running = 0, tasks_completed = 0, tasks_resolving = 0;
    std::size_t cells = 0;
    bool operator==(const Counts&) const = default;
};

class World {
  public:
    World();
    ~World();
    World(World&&) noexcept;
    World& operator=(World&&) noexcept;

    // Null when there is none.
    DesiredPtr desired(std::string_view process_guid) const;
    TaskPtr task(std::string_view task_guid) const;
    DomainPtr domain(std::string_view name) const;
    CellPtr cell(std::string_view cell_id) const;
    api::ActualLrpGroup group(std::string_view process_guid, std::int32_t index) const;

    // "" as domain: all. In order of guid (and index).
    std::vector<DesiredPtr> desired_of(std::string_view domain) const;
    std::vector<api::ActualLrpGroup> groups_of_domain(std::string_view domain) const;
    std::vector<api::ActualLrpGroup> groups_of_process(std::string_view process_guid) const;
    std::vector<TaskPtr> tasks_of(std::string_view domain) const;
    std::vector<TaskPtr> tasks_in(api::TaskState state) const;
    std::vector<DomainPtr> domains() const;
    std::vector<CellPtr> cells() const;
    // Of every presence and state that name the cell.
    std::vector<ActualPtr> actuals_on(std::string_view cell_id) const;
    std::vector<TaskPtr> tasks_on(std::string_view cell_id) const;
    std::string digest(std::string_view cell_id) const;  // api::digest of the two lists
    std::vector<std::string> cells_with_rows() const;    // present or not

    // Processes (desired or with rows) behind `after` in order of guid ("": from the first).
    std::vector<ProcessView> processes(std::string_view after, std::size_t limit) const;
    ProcessView process(std::string_view process_guid) const;
    std::uint64_t version(std::string_view process_guid) const;

    Counts counts() const;  // O(1)

    // `before` must be what is there: panics otherwise, for then the rules have been broken.
    void apply(const RecordChange& change);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace brain::model
