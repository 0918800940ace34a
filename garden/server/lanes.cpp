#include "garden/server/lanes.hpp"

namespace garden::server {

Lanes::Lanes(std::size_t lanes, std::size_t threads)
    : pool_({.name = "streams", .threads = threads, .queue = lanes}) {}

Lanes::~Lanes() {
    stop(std::chrono::milliseconds{0});
}

void Lanes::submit(const Handle& handle, Job job) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    const auto [lane, opened] = lanes_.try_emplace(handle);
    lane->second.push_back(std::move(job));
    if (!opened) return;
    // Refused only above the bound of lanes: these jobs are lost, the next one tries again.
    if (!pool_.submit([this, handle] { serve(handle); })) lanes_.erase(lane);
}

void Lanes::serve(const Handle& handle) {
    for (;;) {
        Job job;
        {
            const std::lock_guard lock(mutex_);
            const auto lane = lanes_.find(handle);
            if (lane->second.empty()) {
                lanes_.erase(lane);
                emptied_.notify_all();
                return;
            }
            job = std::move(lane->second.front());
            lane->second.pop_front();
        }
        job();
    }
}

void Lanes::stop(std::chrono::milliseconds grace) {
    {
        std::unique_lock lock(mutex_);
        stopping_ = true;
        (void)emptied_.wait_for(lock, grace, [this] { return lanes_.empty(); });
        for (auto& [handle, jobs] : lanes_) jobs.clear();
    }
    pool_.stop();
}

}  // namespace garden::server
