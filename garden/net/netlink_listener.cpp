#include "garden/net/netlink_listener.hpp"

#include "base/fail.hpp"

#include <poll.h>
#include <sys/socket.h>

namespace garden::net {

namespace {

constexpr int kAnswerMilliseconds = 10'000;

}  // namespace

base::Result<NetlinkListener> NetlinkListener::open(int room) {
    base::Fd socket(
            ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
    if (!socket) return base::fail_errno("open a netlink socket");
    // Beyond net.core.rmem_max; without the right to that, as much as it allows.
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    (void)TRY(bind_netlink(socket));
    return NetlinkListener(std::move(socket));
}

base::Result<void> NetlinkListener::join(unsigned multicast_group) {
    if (::setsockopt(
                socket_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &multicast_group,
                sizeof multicast_group) != 0)
        return base::fail_errno("join the netlink group {}", multicast_group);
    return base::ok;
}

base::Result<std::size_t> NetlinkListener::receive() {
    for (;;) {
        sockaddr_nl from{};
        socklen_t length = sizeof from;
        const ssize_t got = ::recvfrom(
                socket_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC,
                reinterpret_cast<sockaddr*>(&from), &length);
        if (got < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) return std::size_t{0};
            return base::fail_errno("netlink: receive");
        }
        if (from.nl_pid != 0) continue;  // only the kernel is believed
        if (static_cast<std::size_t>(got) > buffer_.size()) {
            errno = ENOBUFS;  // cut: as good as dropped
            return base::fail_errno("netlink: receive a message of {} bytes", got);
        }
        return static_cast<std::size_t>(got);
    }
}

base::Result<void> NetlinkListener::ask(const Messages& messages) {
    const auto data = messages.data();
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    if (::sendto(
                socket_.get(), data.data(), data.size(), 0,
                reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
        return base::fail_errno("netlink: send");
    std::size_t answered = 0;
    base::Result<void> result;
    while (answered < messages.entries().size()) {
        pollfd arrival{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&arrival, 1, kAnswerMilliseconds) == 0)
            return base::fail(base::Errc::timeout, "netlink: no answer");
        int left = static_cast<int>(TRY(receive()));
        for (const nlmsghdr* header = reinterpret_cast<const nlmsghdr*>(buffer_.data());
             mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
            if (header->nlmsg_type != NLMSG_ERROR) continue;
            const auto* answer = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
            const char* what = messages.entries()[answered].what;
            ++answered;
            if (answer->error == 0 || !result) continue;
            errno = -answer->error;
            result = base::fail_errno("{}", what);
        }
    }
    return result;
}

base::Result<NetlinkListener::Drained> NetlinkListener::drain(
        std::size_t most, const std::function<void(const nlmsghdr*)>& each) {
    Drained drained;
    for (std::size_t reads = 0; reads < most; ++reads) {
        const auto size = receive();
        if (!size && size.error().sys == ENOBUFS) {
            drained.overrun = true;
            continue;
        }
        if (!size) return size.error();
        if (*size == 0) return drained;
        int left = static_cast<int>(*size);
        for (const nlmsghdr* header = reinterpret_cast<const nlmsghdr*>(buffer_.data());
             mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left))
            each(header);
    }
    drained.more = true;
    return drained;
}

}  // namespace garden::net
