// Work that follows an answered request: what the kernel finishes in its own time (a network
// namespace, a deleted tree) is looked at again until it is done. One thread for quick repeated
// looks, one for slow single jobs. Used by garden/engine only.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace garden {

class Chores {
  public:
    Chores();
    ~Chores();  // what is not done yet stays for the sweep of the next start
    Chores(const Chores&) = delete;
    Chores& operator=(const Chores&) = delete;

    // Runs `attempt` now and again until it returns true, or `give_up` once `patience` is over.
    void repeat(
            std::function<bool()> attempt,
            std::chrono::milliseconds patience,
            std::function<void()> give_up);
    // Runs `job` once, soon, in order.
    void once(std::function<void()> job);
    // Waits until nothing is left; for tests and for an orderly end. False after `limit`.
    bool drain(std::chrono::milliseconds limit);

  private:
    using Clock = std::chrono::steady_clock;

    struct Repeated {
        std::function<bool()> attempt;
        Clock::time_point deadline;
        std::function<void()> give_up;
    };

    void run_repeated();
    void run_once();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Repeated> repeated_;
    std::deque<std::function<void()>> jobs_;
    std::size_t busy_ = 0;
    bool stopping_ = false;
    std::thread repeater_;
    std::thread worker_;
};

}  // namespace garden
