#include "base/sys/audit_socket.hpp"

#include "base/sys/error.hpp"
#include "base/sys/file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include <linux/audit.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstring>
#include <thread>

namespace base::sys {

namespace {

Result<Fd> open_here(std::size_t receive_bytes) {
    Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT));
    if (!socket) return errno_error("make an audit socket");
    const int bytes = static_cast<int>(receive_bytes);
    // Forced: the host's ceiling is for programs that anybody may start. Without CAP_NET_ADMIN the
    // smaller buffer only loses more, which is counted.
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return errno_error("bind the audit socket");
    const int group = AUDIT_NLGRP_READLOG;
    if (::setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
        return errno_error("join the audit multicast group");
    return socket;
}

Result<AuditSocket> open_in(const std::string& first_namespace, std::size_t receive_bytes) {
    const auto first = open_host(first_namespace, O_RDONLY);
    if (!first && first.error().kind != Errc::denied) return first.error();
    AuditSocket out;
    if (!first) {
        out.doubt = "records come in the host's first network namespace only, and " +
                    first.error().text;
    } else {
        const Fd own = TRY(open_host("/proc/thread-self/ns/net", O_RDONLY));
        const auto there = TRY(stat_fd(*first));
        const auto here = TRY(stat_fd(own));
        const bool same = there.st_ino == here.st_ino && there.st_dev == here.st_dev;
        if (!same && ::setns(first->get(), CLONE_NEWNET) != 0)
            return errno_error("enter the host's network namespace");
    }
    out.fd = TRY(open_here(receive_bytes));
    return out;
}

}  // namespace

Result<AuditSocket> open_audit_socket(
        const std::string& first_namespace, std::size_t receive_bytes) {
    Result<AuditSocket> out = AuditSocket();
    // A thread of its own, so that the caller's namespace does not change; a socket stays where it
    // was made.
    std::thread([&] { out = open_in(first_namespace, receive_bytes); }).join();
    return out;
}

Result<std::optional<AuditMessage>> receive_audit(FdRef socket, std::span<char> buffer) {
    for (;;) {
        sockaddr_nl from{};
        socklen_t from_size = sizeof from;
        const auto count = ::recvfrom(
                socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                reinterpret_cast<sockaddr*>(&from), &from_size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return std::optional<AuditMessage>();
        if (count < 0 && errno == ENOBUFS)
            return plain_error(Errc::exhausted, "audit records were lost");
        if (count < 0) return errno_error("receive an audit record");
        // Any process may send to our port; only the kernel has number 0.
        if (from_size < sizeof from || from.nl_pid != 0) continue;
        const auto size = static_cast<std::size_t>(count);
        if (size < sizeof(nlmsghdr)) continue;
        nlmsghdr header{};
        std::memcpy(&header, buffer.data(), sizeof header);
        // One record a datagram. The header's length leaves itself out in some kernels, so the
        // datagram's counts.
        return AuditMessage{
                .type = header.nlmsg_type, .offset = sizeof header, .length = size - sizeof header};
    }
}

}  // namespace base::sys
