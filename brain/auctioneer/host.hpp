// AuctionHost: what the auctioneer asks of the brain that it works for. Implemented by brain/core
// and by the auctioneer's tests. Calls may block; any thread.
#pragma once

#include "brain/api/public_brain.hpp"

#include <string>
#include <vector>

namespace brain::auctioneer {

struct FailedLrp {
    api::LrpKey key;
    std::string placement_error;
};

struct FailedTask {
    std::string task_guid;
    std::string reason;
};

class AuctionHost {
  public:
    virtual ~AuctionHost() = default;
    virtual base::Result<std::vector<api::CellPresence>> cells() = 0;
    // All failures of a round at once: one durable write (auction §8, corrected).
    virtual void auction_failed(
            const std::vector<FailedLrp>& lrps, const std::vector<FailedTask>& tasks) = 0;
};

}  // namespace brain::auctioneer
