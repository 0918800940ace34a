// What a loop of the rep waits on: time, a kick, or the end. Used by the rep's threads.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

namespace rep::core {

class Signal {
  public:
    void kick() {
        const std::lock_guard lock(mutex_);
        kicked_ = true;
        changed_.notify_all();
    }

    void end() {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }

    bool ended() const {
        const std::lock_guard lock(mutex_);
        return ended_;
    }

    // The next wait ends at the latest so much later.
    void hurry(std::chrono::milliseconds time) {
        const std::lock_guard lock(mutex_);
        const auto at = std::chrono::steady_clock::now() + time;
        if (!latest_ || at < *latest_) latest_ = at;
        changed_.notify_all();
    }

    // False: it is over. A kick between two waits is not lost.
    bool wait(std::chrono::milliseconds time) {
        std::unique_lock lock(mutex_);
        const auto until = std::chrono::steady_clock::now() + time;
        while (!kicked_ && !ended_) {
            const auto at = latest_ ? std::min(until, *latest_) : until;
            if (std::chrono::steady_clock::now() >= at) break;
            changed_.wait_until(lock, at);
        }
        kicked_ = false;
        latest_.reset();
        return !ended_;
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<std::chrono::steady_clock::time_point> latest_;
    bool kicked_ = false;
    bool ended_ = false;
};

}  // namespace rep::core
