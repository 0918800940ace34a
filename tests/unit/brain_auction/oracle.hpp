// The auction as its text says it, looking at every cell for every placement: what the scheduler's
// answers are compared with. Shares with it only the arithmetic of a score and the order of work.
#pragma once

#include "brain/auction/schedule.hpp"

namespace test {

struct Verdict {
    std::string cell_id;  // empty: not placed
    std::string error;
    bool operator==(const Verdict&) const = default;
};

struct OracleResults {
    std::vector<Verdict> lrps, tasks;  // in the order in which they were looked at
};

OracleResults naive_schedule(
        const std::vector<rep::api::CellState>& cells,
        const brain::auction::Batch& batch,
        const brain::auction::Settings& settings);

}  // namespace test
