#include "garden/engine/latecomers.hpp"

#include <chrono>

namespace garden {

namespace {

constexpr std::chrono::seconds kInterval{1};

}  // namespace

Latecomers::~Latecomers() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Latecomers::add(std::function<bool()> attempt) {
    const std::lock_guard lock(mutex_);
    attempts_.push_back(std::move(attempt));
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    changed_.notify_all();
}

void Latecomers::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (attempts_.empty()) {
            changed_.wait(lock);
            continue;
        }
        // Only this thread removes, and a list keeps its elements where they are.
        for (auto it = attempts_.begin(); it != attempts_.end() && !stopping_;) {
            lock.unlock();
            const bool done = (*it)();
            lock.lock();
            it = done ? attempts_.erase(it) : std::next(it);
        }
        if (!attempts_.empty()) changed_.wait_for(lock, kInterval, [this] { return stopping_; });
    }
}

}  // namespace garden
