// Rebalance: a few gentle moves of running instances from full cells to empty ones. The auction
// places once; after maintenance the cells that came back last stay empty (auction §17). A pure
// function that proposes; who carries it out starts the new instance before the old one goes.
#pragma once

#include "brain/api/keys.hpp"
#include "brain/auction/settings.hpp"
#include "rep/api/types.hpp"

#include <string>
#include <vector>

namespace brain::auction {

struct RebalanceSettings {
    std::size_t max_moves = 10;
    // How much less full the target must be after the move than the source was before it.
    double least_gain = 0.1;
    bool move_only_instances = false;  // of processes that have just one
};

struct Move {
    api::LrpKey key;
    std::string instance_guid;
    std::string from;
    std::string to;
    double gain = 0;
    bool between_zones = false;  // evens out the instances of the process over zones
};

// At most one move of a process; never to a cell or a zone that has as many instances of it as
// where it comes from. Processes that are badly spread over zones come first.
std::vector<Move> plan_moves(
        const std::vector<rep::api::CellState>& cells,
        const Settings& settings,
        const RebalanceSettings& rebalance);

}  // namespace brain::auction
