// WorkerPool: a named, bounded pool of threads for blocking work. Used by daemons; one pool per
// kind of work, so that one kind never waits for another.
#pragma once

#include "base/result.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace base {

class WorkerPool {
  public:
    struct Config {
        std::string name;
        std::size_t threads = 8;  // at most; made when needed
        std::size_t queue = 256;  // jobs behind busy threads
    };

    struct Figures {
        std::size_t threads = 0;
        std::size_t busy = 0;
        std::size_t queued = 0;
        std::uint64_t done = 0;
        std::uint64_t refused = 0;
    };

    explicit WorkerPool(Config config) : config_(std::move(config)) {}

    ~WorkerPool() { stop(); }

    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    // Errc::exhausted with the pool's name when the queue is full or the pool stops; then the job
    // is not taken.
    Result<void> submit(std::function<void()> job);
    Figures figures() const;

    const std::string& name() const { return config_.name; }

    // Runs what is queued, then joins. Idempotent; not from a job.
    void stop();

  private:
    void work();

    const Config config_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;
    std::vector<std::thread> threads_;
    std::size_t idle_ = 0;
    std::uint64_t done_ = 0;
    std::uint64_t refused_ = 0;
    bool stopping_ = false;
};

}  // namespace base
