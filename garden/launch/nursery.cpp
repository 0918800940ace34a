#include "garden/launch/nursery.hpp"

#include "base/parse.hpp"
#include "base/sys/error.hpp"
#include "base/sys/pidfd.hpp"
#include "base/sys/process.hpp"
#include "base/sys/seqpacket.hpp"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <string>
#include <utility>

namespace garden::launch {

namespace sys = base::sys;

namespace {

// A nursery that is stopped, or starved for so long, is replaced.
constexpr timeval kPatience{.tv_sec = 3, .tv_usec = 0};
constexpr int kEndMilliseconds = 1000;  // of a killed process

}  // namespace

Nursery::~Nursery() {
    end();
}

base::Result<Newborn> Nursery::clone_shim() {
    const std::lock_guard lock(mutex_);
    if (control_) {
        auto born = ask();
        if (born || born.error().kind != base::Errc::unavailable) return born;
        end();  // it was killed; its shims live on
    }
    TRY(start());
    return ask();
}

base::Result<void> Nursery::start() {
    auto pair = TRY(sys::seqpacket_pair());
    const std::array<std::string, 1> argv{"garden-shim"};
    const std::array<base::FdRef, 2> fds{pair.second, init_};
    auto spawned = TRY(sys::spawn_detached(shim_, argv, fds));
    pair.second.reset();  // so that its end is seen
    control_ = std::move(pair.first);
    pidfd_ = std::move(spawned.pidfd);
    (void)::setsockopt(control_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    (void)::setsockopt(control_.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    auto ready = sys::receive_message(control_, kNurseryMessage);
    if (ready && ready->data == kNurseryReady) return base::ok;
    const std::string why = ready ? ready->data : ready.error().text;
    end();
    return sys::plain_error(base::Errc::unavailable, "start the nursery of shims: " + why);
}

// The socket is made here: after a failure nobody knows whether a shim has its other end, and it
// must not be used again. A shim that does ends when ours closes.
base::Result<Newborn> Nursery::ask() {
    auto pair = TRY(sys::seqpacket_pair());
    const std::array<base::FdRef, 1> fds{pair.second};
    const auto sent = sys::send_message(control_, kNurseryShim, fds);
    auto answer = sent ? sys::receive_message(control_, kNurseryMessage)
                       : base::Result<sys::Message>(sent.error());
    if (!answer) {
        return sys::plain_error(
                base::Errc::unavailable, "the nursery of shims: " + answer.error().text);
    }
    if (answer->data == kNurseryBorn && answer->fds.size() == 1)
        return Newborn{.socket = std::move(pair.first), .pidfd = std::move(answer->fds.front())};
    const auto error = TRY(base::parse_number<int>(answer->data, "answer of the nursery"));
    return sys::errno_error("clone a shim", error);
}

void Nursery::end() {
    control_.reset();
    if (!pidfd_) return;
    // It ends by itself at the end of its socket; a stopped one does not.
    (void)sys::signal_process(pidfd_, SIGKILL);
    pollfd watch{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&watch, 1, kEndMilliseconds);
    (void)sys::reap(pidfd_);
    pidfd_.reset();
}

}  // namespace garden::launch
