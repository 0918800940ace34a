// Lanes: small blocking calls about containers, one at a time and in order for each container. A
// container whose shim hangs holds one thread, never those of others. Used by Streams.
#pragma once

#include "base/worker_pool.hpp"
#include "garden/plan/container_spec.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>

namespace garden::server {

class Lanes {
  public:
    using Job = std::function<void()>;

    // `lanes`: how many containers may have work at once; `threads` of them are worked on.
    Lanes(std::size_t lanes, std::size_t threads);
    ~Lanes();  // stop() with no time
    Lanes(const Lanes&) = delete;
    Lanes& operator=(const Lanes&) = delete;

    // How many jobs may wait is the caller's to bound. After stop() a job is dropped.
    void submit(const Handle& handle, Job job);

    // What is queued gets this much time, then the rest is dropped; jobs at work are waited for.
    void stop(std::chrono::milliseconds grace);

    base::WorkerPool::Figures figures() const { return pool_.figures(); }

  private:
    void serve(const Handle& handle);

    std::mutex mutex_;
    std::condition_variable emptied_;
    std::map<Handle, std::deque<Job>> lanes_;  // a lane is there while it has a thread, or waits
                                               // for one
    bool stopping_ = false;
    base::WorkerPool pool_;
};

}  // namespace garden::server
