// The harmonizer's tables (executor-rep §17.3-17.6), pure: what a container has to tell the brain,
// what follows from the answer, and which containers and records need that at all. Used by
// rep/core.
//
//   plan(world) -> operations     bulk round; nothing when containers and records agree
//   call_for(container) -> Call   each operation, on the container as it is by then
//   after(call, answer) -> Then   and its end
#pragma once

#include "brain/api/brain.hpp"
#include "executor/api/types.hpp"
#include "rep/plan/cell.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rep::plan {

enum class Call : std::uint8_t {
    nothing,
    claim,
    start,
    remove,
    crash,
    evacuate_claimed,
    evacuate_running,
    evacuate_stopped,
    evacuate_crashed,
    start_task,
    finish_task,
};

// The rows of the tables: kind and state of the container.
Call call_for(const executor::api::Container& container, bool evacuating);

enum class Answer : std::uint8_t {
    accepted,   // evacuation: keep the container
    drop,       // evacuation only: do not keep it
    not_found,  // the record does not exist
    refused,    // the record is another's
    away,       // nothing was decided
};

Answer answer_of(const base::Result<void>& result);
Answer answer_of(const base::Result<bool>& keep);  // of an evacuation

enum class Then : std::uint8_t {
    nothing,
    run,      // fetch what is desired and run it
    stop,     // gracefully; its completion is the next operation
    destroy,  // delete the container
    retry,    // the container stays as it is, later again
};

// The rest of the tables. `state` of the container when the call was made.
Then after(Call call, executor::api::State state, Answer answer);

struct Operation {
    enum class Kind : std::uint8_t {
        container,
        residual_lrp,
        residual_task,
        destroy,  // asked for by the brain (a cancelled task)
        give_up,  // evacuation's time is over; with `evacuating` its record goes, too
    };
    Kind kind = Kind::container;
    std::string guid;  // of the container, also when there is none: what the queue orders by
    // Residual LRPs: which records of ours to remove; only `evacuating` for a container that runs
    // as an ordinary one beside it.
    brain::api::LrpKey key;
    bool ordinary = false;
    bool evacuating = false;
    bool suspect = false;
    bool operator==(const Operation&) const = default;
};

struct World {
    std::vector<executor::api::Container> containers;
    std::vector<brain::api::ActualLrp> lrps;  // at least those that name this cell
    std::vector<brain::api::Task> tasks;
};

// In order of guid, one per guid.
std::vector<Operation> plan(const World& world, const Cell& cell, bool evacuating);

// The digest of the records that would need no operation; "" when some container needs one
// whatever the records say, or the cell is evacuating.
std::string expected_digest(
        const std::vector<executor::api::Container>& containers, const Cell& cell, bool evacuating);

}  // namespace rep::plan
