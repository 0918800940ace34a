// What the rep knows about its cell, as configured, and the two documents that tell it to others:
// the state for auctions and the presence. Used by rep/core.
#pragma once

#include "brain/api/cell.hpp"
#include "executor/api/types.hpp"
#include "rep/api/types.hpp"
#include "rep/plan/placement.hpp"

#include <map>
#include <string>
#include <vector>

namespace rep::plan {

struct Cell {
    std::string id;
    std::string rep_url;
    std::string rep_address;
    std::int64_t index = 0;
    std::string zone;
    std::vector<std::string> placement_tags;  // required
    std::vector<std::string> optional_placement_tags;
    Stacks stacks;
    std::vector<std::string> arbitrary_schemes{"docker"};
    std::int64_t proxy_memory_mb = 0;  // 0: no proxy
    bool two_layers = false;           // the first exclusive layer becomes part of the rootfs
    std::map<std::string, std::string> annotations;
};

struct Snapshot {
    executor::api::Resources total;
    executor::api::Resources remaining;
    std::vector<executor::api::Container> containers;
    std::vector<std::string> volume_drivers;
    bool evacuating = false;
};

api::CellState cell_state(const Cell& cell, const Snapshot& now);
brain::api::CellPresence presence(const Cell& cell, const executor::api::Resources& total);
// reserved + initializing + created, of any kind.
std::int64_t starting(const std::vector<executor::api::Container>& containers);

}  // namespace rep::plan
