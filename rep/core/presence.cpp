#include "rep/core/presence.hpp"

#include "base/uuid.hpp"

namespace rep::core {

Presence::Presence(
        const Config& config,
        executor::api::Executor& executor,
        brain::api::Brain& brain,
        std::function<void()> on_return)
    : config_(config),
      executor_(executor),
      brain_(brain),
      on_return_(std::move(on_return)),
      owner_(config.owner.empty() ? base::random_uuid() : config.owner) {}

void Presence::start() {
    thread_ = std::thread([this] { loop(); });
}

void Presence::stop() {
    signal_.end();
    if (thread_.joinable()) thread_.join();
}

base::Result<void> Presence::release() {
    held_ = false;
    return brain_.release_presence(config_.cell.id, owner_);
}

void Presence::loop() {
    do renew();
    while (signal_.wait(config_.times.presence));
}

void Presence::renew() {
    if (auto total = executor_.total_resources(); total) total_ = *total;
    const auto put = brain_.put_presence(
            plan::presence(config_.cell, total_), owner_, config_.times.presence_ttl);
    held_ = put.has_value();
    if (put) {
        if (lost_) on_return_();
        lost_ = false;
        return;
    }
    if (!lost_ && config_.on_note)  // once: a brain that is away for a day fills no log
        config_.on_note({.what = "renew presence", .guid = {}, .error = put.error()});
    lost_ = true;
}

}  // namespace rep::core
