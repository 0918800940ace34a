#include "garden/net/flow_ender.hpp"

#include <utility>

namespace garden::net {

FlowEnder::FlowEnder(End end) : end_(std::move(end)), thread_([this] { run(); }) {}

FlowEnder::~FlowEnder() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void FlowEnder::ask(std::string lease_id) {
    {
        const std::lock_guard lock(mutex_);
        asked_.insert(std::move(lease_id));
    }
    changed_.notify_one();
}

void FlowEnder::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return over_ || !asked_.empty(); });
        if (asked_.empty()) return;
        const auto now = std::exchange(asked_, {});
        lock.unlock();
        end_(now);
        lock.lock();
    }
}

}  // namespace garden::net
