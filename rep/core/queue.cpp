#include "rep/core/queue.hpp"

#include <algorithm>

namespace rep::core {

OperationQueue::OperationQueue(std::size_t parallel, Apply apply)
    : apply_(std::move(apply)),
      pool_({.name = "operations", .threads = parallel, .queue = kMaxWaiting}) {}

void OperationQueue::push(plan::Operation operation) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    const auto guid = operation.guid;
    auto& slot = slots_[guid];
    const bool queued = slot.running || slot.pending.has_value();
    slot.pending = std::move(operation);
    if (queued) return;
    // A full pool loses nothing: the next round finds the same difference again.
    if (!pool_.submit([this, guid] { work(guid); })) slots_.erase(guid);
}

void OperationQueue::work(const std::string& guid) {
    std::unique_lock lock(mutex_);
    const auto slot = slots_.find(guid);
    if (slot == slots_.end()) return;  // closed meanwhile
    while (slot->second.pending && !closed_) {
        const auto operation = std::move(*slot->second.pending);
        slot->second.pending.reset();
        slot->second.running = true;
        ++running_;
        lock.unlock();
        apply_(operation);
        lock.lock();
        slot->second.running = false;
        --running_;
    }
    slots_.erase(slot);
    changed_.notify_all();
}

void OperationQueue::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    std::erase_if(slots_, [](const auto& entry) { return !entry.second.running; });
    for (auto& [guid, slot] : slots_) slot.pending.reset();
    changed_.notify_all();
}

bool OperationQueue::wait_idle(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return slots_.empty(); });
}

OperationQueue::Figures OperationQueue::figures() const {
    const std::lock_guard lock(mutex_);
    Figures out{.running = running_, .waiting = 0};
    for (const auto& [guid, slot] : slots_)
        if (slot.pending) ++out.waiting;
    return out;
}

}  // namespace rep::core
