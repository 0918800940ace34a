// EventHub: what happened to containers, to whoever subscribed. Publishing never blocks; a
// subscriber that falls behind is told so and has to list anew (executor-rep §12.5). Used by
// executor/core.
#pragma once

#include "executor/api/executor.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>

namespace executor {

class EventHub {
  public:
    static constexpr std::size_t kMaxSubscribers = 64;

    void publish(api::EventKind kind, const api::Container& container);
    base::Result<std::unique_ptr<api::EventSource>> subscribe();
    void close();  // everybody's next() is Errc::cancelled; for good

  private:
    struct Queue {
        std::mutex mutex;
        std::condition_variable wake;
        std::deque<std::shared_ptr<const api::Event>> events;  // shared by all subscribers
        bool behind = false;
        bool closed = false;
    };

    class Subscription;

    // Owners: the hub and its subscriber.
    struct Members {
        std::mutex mutex;
        std::set<std::shared_ptr<Queue>> queues;
        bool closed = false;
    };

    std::shared_ptr<Members> members_ = std::make_shared<Members>();
};

}  // namespace executor
