#include "garden/net/watcher.hpp"

#include "base/fail.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>

namespace garden::net {

namespace {

using namespace std::chrono_literals;

// Somebody who changes the rules in a loop costs us ten repairs a second, not a processor.
constexpr auto kBetweenRepairs = 100ms;
constexpr auto kAfterFailure = 500ms;

}  // namespace

base::Result<std::unique_ptr<Watcher>> Watcher::start(Parts parts) {
    base::Fd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return base::fail_errno("make an eventfd");
    std::unique_ptr<Watcher> watcher(new Watcher(std::move(parts), std::move(stop)));
    watcher->thread_ = std::thread([raw = watcher.get()] { raw->run(); });
    return watcher;
}

Watcher::~Watcher() {
    (void)::eventfd_write(stop_.get(), 1);  // a counter that nobody reads takes it
    if (thread_.joinable()) thread_.join();
}

std::string Watcher::unrepaired() const {
    const std::lock_guard lock(mutex_);
    return unrepaired_;
}

bool Watcher::wait(bool at_once) {
    std::array<pollfd, 3> waited{};
    waited[0] = {.fd = stop_.get(), .events = POLLIN, .revents = 0};
    waited[1] = {
            .fd = parts_.nflog ? parts_.nflog->fd().get() : -1, .events = POLLIN, .revents = 0};
    waited[2] = {
            .fd = parts_.rules ? parts_.rules->fd().get() : -1, .events = POLLIN, .revents = 0};
    int timeout = at_once ? 0 : -1;
    if (!at_once && task_) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                due_ - std::chrono::steady_clock::now());
        timeout = static_cast<int>(std::max<std::int64_t>(0, left.count()));
    }
    (void)::poll(waited.data(), waited.size(), timeout);
    return (waited[0].revents & POLLIN) == 0;
}

void Watcher::run() {
    for (bool more = false; wait(more);) {
        more = read_log();
        more = read_rules() || more;
        mend_when_due();
    }
}

bool Watcher::read_log() {
    if (!parts_.nflog) return false;
    const auto more = parts_.nflog->drain(parts_.log);
    return more && *more;  // an error is of one message; the next read tells whether it stays
}

bool Watcher::read_rules() {
    if (!parts_.rules) return false;
    const auto seen = parts_.rules->drain();
    if (!seen) return false;
    if (!seen->foreign.empty()) {
        if (!task_ || task_->look_first) task_ = Task{.reason = seen->foreign};
        const std::lock_guard lock(mutex_);
        unrepaired_ = task_->reason;
    } else if (seen->missed && !task_) {
        task_ = Task{.reason = "notifications of changed rules were lost", .look_first = true};
    }
    return seen->more;
}

void Watcher::mend_when_due() {
    const auto now = std::chrono::steady_clock::now();
    if (!task_ || now < due_) return;
    const auto mended = parts_.mend(task_->reason, task_->look_first);
    due_ = now + (mended ? kBetweenRepairs : kAfterFailure);
    const std::lock_guard lock(mutex_);
    unrepaired_ = mended ? "" : task_->reason + "; the repair failed: " + mended.error().text;
    if (mended) task_.reset();
}

}  // namespace garden::net
