#include "garden/launch/shim/shim.hpp"

#include "base/sys/error.hpp"
#include "base/sys/file.hpp"
#include "base/sys/raw.hpp"
#include "base/sys/seqpacket.hpp"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace garden::launch {

namespace sys = base::sys;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kTick{50};                        // while an exit waits for its output
constexpr milliseconds kBufferIdle{1000};                // then the read buffer is given back
constexpr milliseconds kAbandonedLook{1000};             // of a dead container without a gardend
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};  // a gardend that does not read is dropped

bool is_root_peer(base::FdRef socket) {
    ucred peer = {};
    socklen_t size = sizeof peer;
    return ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

}  // namespace

ShimLoop::ShimLoop(base::Fd control, base::Fd program, base::Fd epoll, base::Fd null)
    : control_(std::move(control)),
      program_(std::move(program)),
      epoll_(std::move(epoll)),
      null_(std::move(null)) {
    (void)::setsockopt(control_.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    (void)watch(control_, key(Watched::control, connection_), EPOLLIN);
}

int ShimLoop::run() {
    std::array<epoll_event, 32> events = {};
    while (!finished_) {
        const int count = ::epoll_wait(
                epoll_.get(), events.data(), static_cast<int>(events.size()), timeout());
        for (int i = 0; i < count && !finished_; ++i)
            handle(events[static_cast<std::size_t>(i)].data.u64);
        tick();
    }
    return 0;
}

bool ShimLoop::watch(base::FdRef fd, std::uint64_t key, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.u64 = key}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0) return true;
    return errno == EEXIST && ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd.get(), &event) == 0;
}

void ShimLoop::unwatch(base::FdRef fd) {
    if (fd)
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);  // not watched is fine
}

void ShimLoop::handle(std::uint64_t key) {
    const std::uint64_t id = key >> 8;
    switch (static_cast<Watched>(key & 0xff)) {
        case Watched::control:
            if (id == connection_ && control_) read_control();
            return;
        case Watched::listener:
            return accept_gardend();
        case Watched::init:
            return reap_init();
        case Watched::init_channel:
            return created();
        case Watched::process:
            return reap_process(id);
        case Watched::channel:
            return executed(id);
        case Watched::out:
            return read_source(id, 0);
        case Watched::err:
            return read_source(id, 1);
        case Watched::sink_out:
            return flush_sink(id, 0);
        case Watched::sink_err:
            return flush_sink(id, 1);
    }
}

int ShimLoop::timeout() const {
    if (!ending_.empty() || !awaiting_.empty() || (destroying_ && init_dead_))
        return static_cast<int>(kTick.count());
    if (created_ && init_dead_ && !control_) return static_cast<int>(kAbandonedLook.count());
    return buffer_ ? static_cast<int>(kBufferIdle.count()) : -1;
}

// A gardend that was killed right before it recorded the container as made is followed by one that
// takes it down by its group and its name: perhaps before we listened, so nobody says goodbye.
bool ShimLoop::is_abandoned() const {
    if (control_ || !created_ || !init_dead_) return false;
    struct stat info = {};
    return ::fstat(bundle_.get(), &info) == 0 && info.st_nlink == 0;
}

void ShimLoop::tick() {
    if (is_abandoned()) finished_ = true;
    if (ending_.empty() && awaiting_.empty() && !buffer_ && !destroying_) return;
    const auto now = Clock::now();
    for (const auto serial : std::exchange(awaiting_, {}))
        if (processes_.contains(serial)) settle(serial);
    // tell_if_done() takes entries out of the set.
    const std::vector<std::uint64_t> ending(ending_.begin(), ending_.end());
    for (const auto serial : ending) (void)tell_if_done(serial, now);
    if (buffer_ && now - buffer_used_ >= kBufferIdle) buffer_.reset();
    if (!destroying_ || !init_dead_ || finished_) return;
    if (!all_written() && now < finish_by_) return;
    if (bundle_) (void)sys::remove_at(bundle_, kSocketName);  // the bundle goes next anyway
    if (destroy_connection_ == connection_) reply(destroy_request_, Outcome{});
    finished_ = true;
}

void ShimLoop::accept_gardend() {
    auto socket = sys::seqpacket_accept(listener_);
    if (!socket || !is_root_peer(*socket)) return;
    // Only one gardend: the new one replaces the old.
    lose_gardend();
    control_ = std::move(*socket);
    (void)::setsockopt(control_.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    if (!watch(control_, key(Watched::control, connection_), EPOLLIN)) return control_.reset();
    for (const auto& [serial, process] : processes_) {
        if (process.told && !process.internal && !process.id.empty())
            send(MessageKind::exited, 0, to_bytes(Exit{.id = process.id, .code = process.code}));
    }
    if (init_dead_ && !destroying_) send(MessageKind::container_died, 0, {});
}

void ShimLoop::read_control() {
    auto frame = receive_frame(control_, false);
    if (frame) return dispatch(std::move(*frame));
    if (frame.error().sys == EAGAIN) return;
    lose_gardend();
    if (created_) return;
    // Nothing was created: a prepared shim of a gardend that is gone leaves no trace.
    if (init_) (void)sys::raw::pidfd_send_signal(init_.get(), SIGKILL);
    finished_ = true;
}

void ShimLoop::lose_gardend() {
    if (!control_) return;
    unwatch(control_);
    control_.reset();
    ++connection_;
    for (auto& [serial, process] : processes_) {
        // Nobody will connect what is unconnected; clients' own sockets live on. stdin stays open
        // (garden-api 10.1).
        for (auto place = process.attachments.begin(); place != process.attachments.end();) {
            auto& attachment = place->second;
            for (auto& sink : attachment.sinks) {
                if (!sink.once_connected()) sink.drop();
            }
            const bool useful = attachment.sinks[0].connected() || attachment.sinks[1].connected();
            attachment.holds_input = false;
            if (useful) {
                ++place;
            } else {
                attachments_.erase(place->first);
                place = process.attachments.erase(place);
            }
        }
        settle(serial);
    }
}

void ShimLoop::send(
        MessageKind kind,
        std::uint64_t id,
        std::string_view body,
        std::span<const base::FdRef> fds) {
    if (!control_) return;
    // A connection that takes nothing is as good as closed; its reader gets the facts again when it
    // comes back.
    if (!send_frame(control_, kind, id, body, fds)) (void)::shutdown(control_.get(), SHUT_RDWR);
}

void ShimLoop::reply(
        std::uint64_t id, const base::Result<Outcome>& outcome, std::span<const base::FdRef> fds) {
    if (outcome) return send(MessageKind::reply, id, to_bytes(*outcome), fds);
    const auto& error = outcome.error();
    Outcome failure;
    failure.failed = true;
    failure.kind = static_cast<std::uint8_t>(error.kind);
    failure.sys = error.sys;
    failure.text = error.text;
    send(MessageKind::reply, id, to_bytes(failure));
}

}  // namespace garden::launch
