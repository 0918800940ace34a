// Who may work at the same time, for speed only: more than so many wait for a turn, not for ever.
// The semaphore of GCC 12's library loses wake-ups when two turns end at once, and who has waited
// in vain polls with sleeps of up to 64 ms. Used by create.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace garden {

class Turns {
  public:
    explicit Turns(std::size_t turns) : free_(turns) {}

    // False: it was nobody's turn to end within `patience`.
    bool take(std::chrono::milliseconds patience) {
        std::unique_lock lock(mutex_);
        if (!freed_.wait_for(lock, patience, [this] { return free_ > 0; })) return false;
        --free_;
        return true;
    }

    void give() {
        {
            const std::lock_guard lock(mutex_);
            ++free_;
        }
        freed_.notify_one();
    }

  private:
    std::mutex mutex_;
    std::condition_variable freed_;
    std::size_t free_;
};

}  // namespace garden
