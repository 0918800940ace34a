#include "garden/launch/connection.hpp"

#include "base/sys/error.hpp"

#include <errno.h>
#include <sys/socket.h>

namespace garden::launch {

namespace {

base::Error gone() {
    auto error = base::sys::plain_error(base::Errc::unavailable, "the shim is gone");
    error.sys = EPIPE;
    return error;
}

base::Result<Connection::Reply> to_reply(Frame frame) {
    auto outcome = TRY(from_bytes<Outcome>(frame.body, "reply of the shim"));
    if (outcome.failed) {
        const auto kind = outcome.kind <= static_cast<std::uint8_t>(base::Errc::internal)
                                  ? static_cast<base::Errc>(outcome.kind)
                                  : base::Errc::internal;
        auto error = base::sys::plain_error(kind, std::move(outcome.text));
        error.sys = outcome.sys;
        return error;
    }
    return Connection::Reply{.outcome = std::move(outcome), .fds = std::move(frame.fds)};
}

}  // namespace

base::Result<Connection::Reply> Connection::call(
        MessageKind kind,
        std::string_view body,
        std::span<const base::FdRef> fds,
        std::chrono::milliseconds deadline) {
    const auto until = std::chrono::steady_clock::now() + deadline;
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(mutex_);
        if (lost_) return gone();
        id = next_++;
        waiting_.emplace(id, Waiting{});
    }
    auto sent = [&]() -> base::Result<void> {
        const std::lock_guard lock(send_);
        return send_frame(socket_, kind, id, body, fds);
    }();
    std::unique_lock lock(mutex_);
    const auto place = waiting_.find(id);
    if (!sent) {
        waiting_.erase(place);
        // Before the hub's thread has seen the end of the connection.
        const int sys = sent.error().sys;
        if (sys == EPIPE || sys == ECONNRESET) return gone();
        return std::move(sent).error();
    }
    arrived_.wait_until(lock, until, [&] { return place->second.reply.has_value() || lost_; });
    auto reply = std::move(place->second.reply);
    waiting_.erase(place);
    if (reply) return std::move(*reply);
    if (lost_) return gone();
    return base::sys::plain_error(
            base::Errc::timeout,
            "no answer of the shim within " + std::to_string(deadline.count()) + " ms");
}

bool Connection::receive() {
    for (;;) {
        auto frame = receive_frame(socket_, false);
        if (!frame) return frame.error().sys == EAGAIN;
        accept(std::move(*frame));
    }
}

void Connection::accept(Frame frame) {
    const std::lock_guard lock(mutex_);
    switch (frame.kind) {
        case MessageKind::reply: {
            const auto place = waiting_.find(frame.id);
            if (place == waiting_.end()) return;  // its caller gave up; descriptors are closed here
            place->second.reply = to_reply(std::move(frame));
            arrived_.notify_all();
            return;
        }
        case MessageKind::exited: {
            auto exit = from_bytes<Exit>(frame.body, "exit event");
            if (exit) facts_.emplace_back(std::move(*exit));
            return;
        }
        case MessageKind::container_died:
            facts_.emplace_back(Died{});
            return;
        case MessageKind::prepare:
        case MessageKind::create:
        case MessageKind::run:
        case MessageKind::attach:
        case MessageKind::connect_output:
        case MessageKind::close_input:
        case MessageKind::detach:
        case MessageKind::tail:
        case MessageKind::signal:
        case MessageKind::resize:
        case MessageKind::state:
        case MessageKind::forget:
        case MessageKind::destroy:
        case MessageKind::more:
            return;  // requests never come this way
    }
}

void Connection::lose() {
    const std::lock_guard lock(mutex_);
    if (lost_) return;
    lost_ = true;
    if (!ending_) facts_.emplace_back(Lost{});
    arrived_.notify_all();
}

void Connection::deliver() {
    for (;;) {
        std::unique_lock lock(mutex_);
        if (!listening_ || facts_.empty()) return;
        const Fact fact = std::move(facts_.front());
        facts_.pop_front();
        const Events events = events_;
        lock.unlock();  // a listener may call us
        if (const auto* exit = std::get_if<Exit>(&fact)) {
            if (events.exited) events.exited(exit->id, exit->code);
        } else if (std::holds_alternative<Died>(fact)) {
            if (events.container_died) events.container_died();
        } else if (events.shim_lost) {
            events.shim_lost();
        }
    }
}

void Connection::listen(Events events) {
    const std::lock_guard lock(mutex_);
    events_ = std::move(events);
    listening_ = true;
}

void Connection::set_ending() {
    const std::lock_guard lock(mutex_);
    ending_ = true;
}

bool Connection::lost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
}

bool Connection::listening() const {
    const std::lock_guard lock(mutex_);
    return listening_;
}

void Connection::close() {
    // shutdown, not close: the hub thread may be reading this descriptor.
    set_ending();
    (void)::shutdown(socket_.get(), SHUT_RDWR);  // a dead peer is fine
}

}  // namespace garden::launch
