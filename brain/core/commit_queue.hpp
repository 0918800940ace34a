// CommitQueue: decided but not yet durable operations, in order. Deciding threads push and wait;
// one committing thread takes all that has gathered, writes it at once (group commit) and settles
// it. Used by Reign. Safe from any thread.
#pragma once

#include "base/result.hpp"
#include "brain/model/outcome.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace brain::core {

// Of one operation: shared by the queue and by those who wait.
class Fate {
  private:
    friend class CommitQueue;
    bool settled_ = false;
    std::optional<base::Error> error_;
};

using FatePtr = std::shared_ptr<Fate>;

struct Pending {
    model::Outcome outcome;
    FatePtr fate;
};

class CommitQueue {
  public:
    // In the order of the caller's lock.
    FatePtr push(model::Outcome outcome);
    // The last operation that was pushed, null when all are settled: whoever has read the world
    // waits for it, so that nobody is told what may be taken back.
    FatePtr last() const;
    base::Result<void> wait(const FatePtr& fate);  // null: nothing to wait for

    // For the committing thread: up to `limit`, waits for the first; nothing once closed.
    std::vector<Pending> take(std::size_t limit);
    std::vector<Pending> take_rest();  // without waiting
    void settle(const std::vector<Pending>& batch, const std::optional<base::Error>& error);

    void close();  // what is queued is still taken
    std::size_t depth() const;

  private:
    mutable std::mutex mutex_;
    std::condition_variable filled_, settled_;
    std::deque<Pending> queue_;
    FatePtr last_;
    bool closed_ = false;
};

}  // namespace brain::core
