// Batch: what one round of the auction is to place, and in which order (auction §5). Used by the
// scheduler and the auctioneer.
#pragma once

#include "brain/api/keys.hpp"
#include "brain/auction/settings.hpp"
#include "rep/api/types.hpp"

#include <string>
#include <vector>

namespace brain::auction {

struct LrpAuction {
    api::LrpKey key;
    rep::api::Needs needs;
    bool operator==(const LrpAuction&) const = default;
};

struct TaskAuction {
    std::string guid;
    std::string domain;
    rep::api::Needs needs;
    bool operator==(const TaskAuction&) const = default;
};

struct Batch {
    std::vector<LrpAuction> lrps;
    std::vector<TaskAuction> tasks;

    bool empty() const { return lrps.empty() && tasks.empty(); }

    std::size_t size() const { return lrps.size() + tasks.size(); }
};

struct Item {
    bool task = false;
    std::size_t position = 0;  // in its list of the batch
    bool operator==(const Item&) const = default;
};

// First instances, tasks, further instances; the big ones of a class before the small ones.
std::vector<Item> order_of_work(const Batch& batch, const Settings& settings);

}  // namespace brain::auction
