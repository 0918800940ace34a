// The operations that wait: one at a time per container guid, at most one behind it (a newer one
// replaces it), a bounded number in parallel (executor-rep §17.2). Used by the harmonizer.
#pragma once

#include "base/worker_pool.hpp"
#include "rep/plan/harmony.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace rep::core {

inline constexpr std::size_t kMaxWaiting = 20'000;  // guids; what does not fit waits for a round

class OperationQueue {
  public:
    using Apply = std::function<void(const plan::Operation&)>;

    struct Figures {
        std::size_t running = 0;
        std::size_t waiting = 0;  // not begun, or behind one that runs
    };

    OperationQueue(std::size_t parallel, Apply apply);

    // Waits for what runs.
    ~OperationQueue() { close(); }

    OperationQueue(const OperationQueue&) = delete;
    OperationQueue& operator=(const OperationQueue&) = delete;

    void push(plan::Operation operation);
    void close();  // forgets what waits, takes no more
    // Nothing runs and nothing waits.
    bool wait_idle(std::chrono::milliseconds timeout);
    Figures figures() const;

  private:
    struct Slot {
        bool running = false;
        std::optional<plan::Operation> pending;
    };

    void work(const std::string& guid);

    const Apply apply_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Slot> slots_;
    std::size_t running_ = 0;
    bool closed_ = false;
    base::WorkerPool pool_;  // last: its threads use what stands above
};

}  // namespace rep::core
