// Callbacks: tells the author of each COMPLETED task that has a completion callback, on a bounded
// pool (lifecycle §2.1). Keeps nothing: what is not told stays in the store, and the converger
// hands it in again. Used by brain/core's effects and by the program braind.
#pragma once

#include "base/http/client.hpp"
#include "brain/api/public_brain.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace brain::callbacks {

inline constexpr int kAttempts = 3;  // back to back

struct Settings {
    std::size_t threads = 64;     // made when needed
    std::size_t per_server = 48;  // of them at one server: a slow one leaves some to the others
    std::size_t queue = 10'000;
    std::chrono::milliseconds timeout{10'000};  // of one attempt
    base::http::TlsFiles tls;                   // for https
};

struct Figures {
    std::size_t queued = 0;
    std::size_t running = 0;
    std::uint64_t delivered = 0;  // answered, and the task deleted
    std::uint64_t failed = 0;     // no answer that counts: the task stays RESOLVING
    std::uint64_t refused = 0;    // the queue was full
    std::uint64_t skipped = 0;    // the task was not COMPLETED any more
};

// What a callback is sent: {"task_guid","failed","failure_reason","result","annotation"?,
// "created_at"}.
std::string body_of(const api::Task& task);

class Callbacks {
  public:
    // `brain` outlives it.
    Callbacks(api::PublicBrain& brain, Settings settings);
    ~Callbacks();
    Callbacks(const Callbacks&) = delete;
    Callbacks& operator=(const Callbacks&) = delete;

    // Returns at once. A task without a URL, or one that waits or is being told already, is nothing
    // to do. Errc::exhausted: the queue is full.
    base::Result<void> submit(const api::TaskPtr& task);
    Figures figures() const;
    // Breaks off what runs, forgets what waits. Idempotent.
    void stop();

  private:
    // Those of one server wait in their order; servers take turns.
    struct Lane {
        std::string server;
        std::deque<api::TaskPtr> waiting;
        std::size_t running = 0;
    };

    void work();
    std::list<Lane>::iterator next_lane();  // under the lock; end(): nothing may run
    void leave(std::list<Lane>::iterator lane, const std::string& guid);
    bool tell(const api::Task& task) const;

    api::PublicBrain& brain_;
    const Settings settings_;
    std::stop_source stop_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::list<Lane> lanes_;  // in the order of their turns
    std::map<std::string, std::list<Lane>::iterator, std::less<>> by_server_;
    std::set<std::string, std::less<>> known_;  // guids that wait or run
    std::vector<std::thread> threads_;
    std::size_t idle_ = 0;
    std::size_t queued_ = 0;
    Figures figures_;
};

}  // namespace brain::callbacks
