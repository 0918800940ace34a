#include "garden/engine/grace_timers.hpp"

#include <algorithm>

namespace garden {

GraceTimers::GraceTimers(std::function<void(const Handle&)> expired)
    : expired_(std::move(expired)), thread_([this] { run(); }) {}

GraceTimers::~GraceTimers() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

// Go's clients say "never" with the largest number there is; no clock can add that to now.
GraceTimers::Clock::time_point GraceTimers::after(std::chrono::nanoseconds time) {
    const auto now = Clock::now();
    return time > Clock::time_point::max() - now ? Clock::time_point::max() : now + time;
}

void GraceTimers::arm(const Handle& handle, std::chrono::nanoseconds time) {
    const std::lock_guard lock(mutex_);
    auto& countdown = countdowns_[handle];
    countdown.time = time;
    const bool runs = time.count() > 0 && countdown.pauses == 0;
    countdown.deadline = runs ? after(time) : Clock::time_point::max();
    changed_.notify_all();
}

void GraceTimers::disarm(const Handle& handle) {
    const std::lock_guard lock(mutex_);
    countdowns_.erase(handle);
}

std::shared_ptr<void> GraceTimers::pause(const Handle& handle) {
    const std::lock_guard lock(mutex_);
    const auto it = countdowns_.find(handle);
    if (it == countdowns_.end()) return nullptr;
    ++it->second.pauses;
    it->second.deadline = Clock::time_point::max();
    // The deleter is the resume; the pointer itself only has to be non-null.
    return {static_cast<void*>(this), [this, handle](void*) { resume(handle); }};
}

void GraceTimers::resume(const Handle& handle) {
    const std::lock_guard lock(mutex_);
    const auto it = countdowns_.find(handle);
    if (it == countdowns_.end() || it->second.pauses == 0) return;
    auto& countdown = it->second;
    if (--countdown.pauses > 0 || countdown.time.count() == 0) return;
    countdown.deadline = after(countdown.time);
    changed_.notify_all();
}

void GraceTimers::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto now = Clock::now();
        auto next = Clock::time_point::max();
        std::vector<Handle> due;
        for (auto& [handle, countdown] : countdowns_) {
            if (countdown.deadline <= now) {
                due.push_back(handle);
                countdown.deadline =
                        Clock::time_point::max();  // a failed destroy is not repeated by itself
            } else {
                next = std::min(next, countdown.deadline);
            }
        }
        if (!due.empty()) {
            lock.unlock();
            for (const auto& handle : due) expired_(handle);
            lock.lock();
            continue;
        }
        if (next == Clock::time_point::max()) {
            changed_.wait(lock);
        } else {
            changed_.wait_until(lock, next);
        }
    }
}

}  // namespace garden
