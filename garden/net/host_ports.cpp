#include "garden/net/host_ports.hpp"

#include "base/fd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace garden::net {

namespace {

// Only "in use" counts: a host without IPv6 has nobody there.
template <class SocketAddress>
bool taken(const SocketAddress& address, int type) {
    const base::Fd socket(::socket(
            reinterpret_cast<const sockaddr*>(&address)->sa_family, type | SOCK_CLOEXEC, 0));
    if (!socket) return false;
    const int on = 1;
    // A connection that waits for its end does not count, one that listens does.
    if (type == SOCK_STREAM)
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // The external address may be a balancer's in front of this host.
    (void)::setsockopt(socket.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
           errno == EADDRINUSE;
}

template <class SocketAddress>
bool taken_by_any(const SocketAddress& address) {
    return taken(address, SOCK_STREAM) || taken(address, SOCK_DGRAM);
}

}  // namespace

bool host_listens(
        const std::optional<Address>& external4,
        const std::optional<Address>& external6,
        std::uint16_t port) {
    if (external4) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        std::memcpy(&address.sin_addr, external4->bytes.data(), sizeof address.sin_addr);
        if (taken_by_any(address)) return true;
    }
    if (!external6) return false;
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    std::memcpy(&address.sin6_addr, external6->bytes.data(), sizeof address.sin6_addr);
    return taken_by_any(address);
}

}  // namespace garden::net
