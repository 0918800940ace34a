// Keeps a few seats ready, so that a create does not wait for the kernel to make namespaces
// (design 3.9, budgets). One thread; used by garden/engine only.
#pragma once

#include "garden/engine/seat.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

namespace garden {

class WarmPool {
  public:
    // `network`: what its seats have, as ContainerSpec::network.
    WarmPool(Seats& seats, std::uint32_t size, std::string network);
    ~WarmPool();  // releases what nobody took
    WarmPool(const WarmPool&) = delete;
    WarmPool& operator=(const WarmPool&) = delete;

    void start();                // begins to fill; the first take does so, too
    std::optional<Seat> take();  // empty: make one yourself
    // What belongs to the pool right now, for doctor and the sweep.
    std::set<std::string> range_owners() const;
    std::set<std::string> lease_ids() const;
    std::size_t ready() const;

  private:
    void start_locked();
    void run();

    Seats& seats_;
    const std::uint32_t size_;
    const std::string network_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Seat> ready_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace garden
