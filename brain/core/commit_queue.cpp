#include "brain/core/commit_queue.hpp"

#include <algorithm>
#include <iterator>

namespace brain::core {

FatePtr CommitQueue::push(model::Outcome outcome) {
    const std::lock_guard lock(mutex_);
    last_ = std::make_shared<Fate>();
    queue_.push_back({std::move(outcome), last_});
    filled_.notify_one();
    return last_;
}

FatePtr CommitQueue::last() const {
    const std::lock_guard lock(mutex_);
    return last_ && !last_->settled_ ? last_ : nullptr;
}

base::Result<void> CommitQueue::wait(const FatePtr& fate) {
    if (!fate) return base::ok;
    std::unique_lock lock(mutex_);
    settled_.wait(lock, [&] { return fate->settled_; });
    if (fate->error_) return *fate->error_;
    return base::ok;
}

std::vector<Pending> CommitQueue::take(std::size_t limit) {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return closed_ || !queue_.empty(); });
    const auto count = static_cast<std::ptrdiff_t>(std::min(limit, queue_.size()));
    std::vector<Pending> batch(
            std::make_move_iterator(queue_.begin()),
            std::make_move_iterator(queue_.begin() + count));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    return batch;
}

std::vector<Pending> CommitQueue::take_rest() {
    const std::lock_guard lock(mutex_);
    std::vector<Pending> rest(
            std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end()));
    queue_.clear();
    return rest;
}

void CommitQueue::settle(
        const std::vector<Pending>& batch, const std::optional<base::Error>& error) {
    const std::lock_guard lock(mutex_);
    for (const auto& pending : batch) {
        pending.fate->settled_ = true;
        pending.fate->error_ = error;
    }
    settled_.notify_all();
}

void CommitQueue::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    filled_.notify_all();
}

std::size_t CommitQueue::depth() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
}

}  // namespace brain::core
