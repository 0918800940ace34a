// Tells watchers of one process, on one thread, what its own store committed, in order. Used by the
// SQLite driver.
#pragma once

#include "brain/store/store.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace brain::store {

// What may wait for slow watchers before they are told that they missed something.
inline constexpr std::size_t kMaxWaitingBytes = std::size_t{64} << 20;

class WatchHub : public std::enable_shared_from_this<WatchHub> {
  public:
    WatchHub() = default;

    ~WatchHub() { stop(); }

    WatchHub(const WatchHub&) = delete;
    WatchHub& operator=(const WatchHub&) = delete;

    using Seen = std::function<void(const Change&)>;
    using Broken = std::function<void(const base::Error&)>;
    std::unique_ptr<Store::Watch> add(std::string_view prefix, Seen seen, Broken broken);

    // Called in the order of commits.
    void tell(std::span<const Change> changes);
    // Every present watcher has missed something.
    void break_all(base::Error why);
    // `look` runs on the hub's thread every `period` while somebody watches.
    void start(std::function<void()> look, std::chrono::milliseconds period);
    void stop();  // idempotent; then nobody is called any more

  private:
    struct Watcher {
        std::string prefix;
        Seen seen;
        Broken broken;
        std::uint64_t from = 0;  // earlier news is not for this one
        std::atomic<bool> over = false;
    };

    struct News {
        std::uint64_t number = 0;
        std::vector<Change> changes;
        std::optional<base::Error> why;  // broken, when set
        std::size_t bytes = 0;
    };

    struct Handle;

    void remove(const std::shared_ptr<Watcher>& watcher);
    void put(News news);
    void loop(const std::stop_token& stop, std::chrono::milliseconds period);
    void deliver(const News& news);

    std::mutex mutex_;  // guards what follows
    std::condition_variable_any changed_;
    std::list<std::shared_ptr<Watcher>> watchers_;  // owners: this and the thread while it calls
    std::deque<News> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t last_ = 0;
    std::shared_ptr<Watcher> calling_;
    std::function<void()> look_;  // of the thread
    std::jthread thread_;
};

}  // namespace brain::store
