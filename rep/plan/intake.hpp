// Taking work: which of what an auctioneer sends becomes a reservation, and why the rest does not
// (executor-rep §15). Pure. Used by rep/core.
#pragma once

#include "executor/api/types.hpp"
#include "rep/api/types.hpp"
#include "rep/plan/cell.hpp"

#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace rep::plan {

inline constexpr std::size_t kMaxWork = 10'000;  // elements of one delivery

struct Reservation {
    executor::api::AllocationRequest request;
    std::variant<api::Lrp, api::Task> origin;  // goes back if the executor refuses
};

struct Intake {
    std::vector<Reservation> reservations;  // LRPs first, the largest first
    api::Work refused;                      // with reasons
};

// `mint` makes instance guids. Errc::invalid: the work is for another cell, or too much.
base::Result<Intake> plan_intake(
        const Cell& cell,
        const Snapshot& now,
        api::Work work,
        const std::function<std::string()>& mint);

// The origin joins what was refused.
void refuse(api::Work& refused, Reservation reservation, std::string reason);

}  // namespace rep::plan
