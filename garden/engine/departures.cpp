#include "garden/engine/departures.hpp"

#include <net/if.h>

#include <utility>

namespace garden {

namespace {

using Clock = std::chrono::steady_clock;

// How long a network namespace may take to die before its host interface is deleted by us.
constexpr std::chrono::seconds kNamespaceDeadline{30};
// Each lease has its own deadline; looking ends when none is left.
constexpr std::chrono::hours kAlways{24 * 365};

}  // namespace

void Departures::add(net::Lease lease) {
    {
        const std::lock_guard lock(mutex_);
        leaving_.push_back(
                {.lease = std::move(lease), .deadline = Clock::now() + kNamespaceDeadline});
        if (std::exchange(looking_, true)) return;
    }
    chores_.repeat([this] { return look(); }, kAlways, [] {});
}

bool Departures::look() {
    std::vector<Leaving> round;
    {
        const std::lock_guard lock(mutex_);
        round.swap(leaving_);
    }
    std::vector<net::Lease> gone;
    std::vector<Leaving> left;
    for (auto& one : round) {
        if (::if_nametoindex(one.lease.host_interface.c_str()) != 0) {
            if (Clock::now() < one.deadline) {
                left.push_back(std::move(one));
                continue;
            }
            (void)network_.sweep(one.lease.id);
        }
        gone.push_back(std::move(one.lease));
    }
    if (!gone.empty()) network_.release_all(gone);
    const std::lock_guard lock(mutex_);
    for (auto& one : left) leaving_.push_back(std::move(one));
    looking_ = !leaving_.empty();
    return !looking_;
}

}  // namespace garden
