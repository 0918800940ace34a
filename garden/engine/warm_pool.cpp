#include "garden/engine/warm_pool.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace garden {

namespace {

// When a seat cannot be made (no address left, no memory), creates will say why; the pool only
// tries again later.
constexpr std::chrono::milliseconds kBackoff{500};

}  // namespace

WarmPool::WarmPool(Seats& seats, std::uint32_t size, std::string network)
    : seats_(seats), size_(size), network_(std::move(network)) {}

WarmPool::~WarmPool() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    for (auto& seat : ready_) seats_.release(seat);
}

void WarmPool::start() {
    const std::lock_guard lock(mutex_);
    start_locked();
}

void WarmPool::start_locked() {
    if (size_ > 0 && !stopping_ && !thread_.joinable()) thread_ = std::thread([this] { run(); });
}

std::optional<Seat> WarmPool::take() {
    const std::lock_guard lock(mutex_);
    start_locked();
    if (ready_.empty()) return std::nullopt;
    auto seat = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return seat;
}

std::set<std::string> WarmPool::range_owners() const {
    const std::lock_guard lock(mutex_);
    std::set<std::string> owners;
    for (const auto& seat : ready_) owners.insert(seat.range_owner);
    return owners;
}

std::set<std::string> WarmPool::lease_ids() const {
    const std::lock_guard lock(mutex_);
    std::set<std::string> ids;
    for (const auto& seat : ready_) {
        if (seat.lease) ids.insert(seat.lease->id);
    }
    return ids;
}

std::size_t WarmPool::ready() const {
    const std::lock_guard lock(mutex_);
    return ready_.size();
}

void WarmPool::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto lost = std::find_if(
                ready_.begin(), ready_.end(), [](const Seat& seat) { return seat.lost->load(); });
        if (lost != ready_.end()) {
            auto seat = std::move(*lost);
            ready_.erase(lost);
            lock.unlock();
            seats_.release(seat);
            lock.lock();
            continue;
        }
        if (ready_.size() >= size_) {
            changed_.wait_for(lock, std::chrono::seconds(1));
            continue;
        }
        lock.unlock();
        auto seat = seats_.make(security::Class::unprivileged, network_);
        lock.lock();
        if (seat) {
            ready_.push_back(std::move(*seat));
        } else {
            changed_.wait_for(lock, kBackoff, [this] { return stopping_; });
        }
    }
}

}  // namespace garden
