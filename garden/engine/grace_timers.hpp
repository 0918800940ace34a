// The grace-time countdowns of all containers, on one thread (garden-api §9). Used by garden/engine
// only.
#pragma once

#include "garden/plan/container_spec.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

namespace garden {

class GraceTimers {
  public:
    using Clock = std::chrono::steady_clock;

    // `expired` is called on the timers' thread and must hand the work on.
    explicit GraceTimers(std::function<void(const Handle&)> expired);
    ~GraceTimers();
    GraceTimers(const GraceTimers&) = delete;
    GraceTimers& operator=(const GraceTimers&) = delete;

    void arm(const Handle& handle, std::chrono::nanoseconds time);  // 0 = never; replaces
    void disarm(const Handle& handle);
    // The countdown stands still while the value lives, and starts from the full time when the last
    // one ends.
    std::shared_ptr<void> pause(const Handle& handle);

  private:
    struct Countdown {
        std::chrono::nanoseconds time{0};
        std::uint64_t pauses = 0;
        Clock::time_point deadline = Clock::time_point::max();
    };

    void run();
    static Clock::time_point after(std::chrono::nanoseconds time);
    void resume(const Handle& handle);

    std::function<void(const Handle&)> expired_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<Handle, Countdown> countdowns_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace garden
