// Leases of destroyed containers: an address is free when the kernel has taken the interface away
// with its namespace. Given back together, which is one walk of the list of connections for all
// that went meanwhile instead of one for each. Used by the gardener.
#pragma once

#include "garden/engine/chores.hpp"
#include "garden/net/network.hpp"

#include <chrono>
#include <mutex>
#include <vector>

namespace garden {

class Departures {
  public:
    Departures(net::Network& network, Chores& chores) : network_(network), chores_(chores) {}

    void add(net::Lease lease);

  private:
    struct Leaving {
        net::Lease lease;
        std::chrono::steady_clock::time_point deadline;
    };

    bool look();  // whether none is left

    net::Network& network_;
    Chores& chores_;
    std::mutex mutex_;  // the two below
    std::vector<Leaving> leaving_;
    bool looking_ = false;
};

}  // namespace garden
