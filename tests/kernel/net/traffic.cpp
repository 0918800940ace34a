#include "tests/kernel/net/traffic.hpp"

#include "garden/net/address.hpp"
#include "garden/net/namespace.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <catch2/catch.hpp>

namespace test {

using namespace garden::net;

namespace {

constexpr int kPatience = 700;  // milliseconds

socklen_t put_address(const std::string& text, std::uint16_t port, sockaddr_storage& storage) {
    const Address address = parse_address(text).value();
    storage = {};
    if (address.is_v6()) {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        std::memcpy(&v6->sin6_addr, address.bytes.data(), 16);
        return sizeof *v6;
    }
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, address.bytes.data(), 4);
    return sizeof *v4;
}

std::string text_of(const sockaddr_storage& storage) {
    char text[INET6_ADDRSTRLEN] = {};
    if (storage.ss_family == AF_INET) {
        (void)::inet_ntop(
                AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, text,
                sizeof text);
    } else {
        (void)::inet_ntop(
                AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr, text,
                sizeof text);
    }
    const std::string address = text;
    return address.starts_with("::ffff:") ? address.substr(7) : address;
}

bool readable(base::FdRef fd, int milliseconds) {
    pollfd waiting{.fd = fd.get(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, milliseconds) == 1 && (waiting.revents & POLLIN) != 0;
}

bool byte_passes(base::FdRef from, base::FdRef to) {
    char byte = 'x';
    if (::send(from.get(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) return false;
    return readable(to, kPatience) && ::recv(to.get(), &byte, 1, MSG_DONTWAIT) == 1;
}

std::uint16_t checksum(const std::array<std::uint8_t, 12>& bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 2)
        sum += static_cast<std::uint32_t>(bytes.at(i) << 8) + bytes.at(i + 1);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~((sum & 0xffff) + (sum >> 16)));
}

}  // namespace

bool TcpFlow::carries() const {
    return client && server && byte_passes(client, server) && byte_passes(server, client);
}

TcpFlow open_tcp(
        base::FdRef from,
        const std::string& address,
        std::uint16_t port,
        const Listener& server,
        int milliseconds) {
    TcpFlow flow;
    sockaddr_storage storage{};
    {
        const auto inside = InNamespace::enter(from).value();
        const socklen_t length = put_address(address, port, storage);
        flow.client = base::Fd(
                ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        flow.error = 0;
        if (::connect(flow.client.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
            flow.error = errno;
            pollfd waiting{.fd = flow.client.get(), .events = POLLOUT, .revents = 0};
            if (errno == EINPROGRESS) {
                flow.error = ETIMEDOUT;
                if (::poll(&waiting, 1, milliseconds) == 1) {
                    socklen_t size = sizeof flow.error;
                    (void)::getsockopt(flow.client.get(), SOL_SOCKET, SO_ERROR, &flow.error, &size);
                }
            }
        }
    }
    if (flow.error != 0 || !readable(server.socket, kPatience)) return flow;
    socklen_t length = sizeof storage;
    flow.server = base::Fd(::accept4(
            server.socket.get(), reinterpret_cast<sockaddr*>(&storage), &length,
            SOCK_CLOEXEC | SOCK_NONBLOCK));
    flow.peer = text_of(storage);
    return flow;
}

Listener udp_in(base::FdRef network_namespace, std::uint16_t port) {
    const auto inside = InNamespace::enter(network_namespace).value();
    sockaddr_storage storage{};
    Listener listener;
    for (const char* any : {"::", "0.0.0.0"}) {
        const socklen_t length = put_address(any, port, storage);
        listener.socket =
                base::Fd(::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!listener.socket) continue;
        if (::bind(listener.socket.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0)
            break;
    }
    socklen_t length = sizeof storage;
    REQUIRE(::getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&storage), &length) ==
            0);
    listener.port = ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
    return listener;
}

UdpFlow open_udp(base::FdRef from, const std::string& address, std::uint16_t port) {
    const auto inside = InNamespace::enter(from).value();
    sockaddr_storage storage{};
    const socklen_t length = put_address(address, port, storage);
    UdpFlow flow;
    flow.client =
            base::Fd(::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(::connect(flow.client.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
    return flow;
}

bool UdpFlow::carries(const Listener& server, std::string* peer) const {
    char byte = 'u';
    // An earlier refusal is told by the next call once.
    if (::send(client.get(), &byte, 1, 0) != 1 && ::send(client.get(), &byte, 1, 0) != 1)
        return false;
    if (!readable(server.socket, kPatience)) return false;
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::recvfrom(
                server.socket.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&storage), &length) !=
        1)
        return false;
    if (peer != nullptr) *peer = text_of(storage);
    if (::sendto(server.socket.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&storage), length) !=
        1)
        return false;
    return readable(client, kPatience) && ::recv(client.get(), &byte, 1, 0) == 1;
}

bool ping(base::FdRef from, const std::string& address, int milliseconds) {
    const auto inside = InNamespace::enter(from).value();
    sockaddr_storage storage{};
    const socklen_t length = put_address(address, 0, storage);
    const bool v6 = storage.ss_family == AF_INET6;
    const base::Fd socket(::socket(
            storage.ss_family, SOCK_RAW | SOCK_CLOEXEC, v6 ? int{IPPROTO_ICMPV6} : IPPROTO_ICMP));
    REQUIRE(socket);
    constexpr std::uint8_t kRequest4 = 8, kRequest6 = 128, kReply4 = 0, kReply6 = 129;
    constexpr std::size_t kIpHeader = 20;
    std::array<std::uint8_t, 12> echo{v6 ? kRequest6 : kRequest4, 0, 0, 0, 0x12, 0x34, 0, 1};
    if (!v6) {
        const std::uint16_t sum = checksum(echo);
        echo[2] = static_cast<std::uint8_t>(sum >> 8);
        echo[3] = static_cast<std::uint8_t>(sum);
    }
    if (::sendto(
                socket.get(), echo.data(), echo.size(), 0, reinterpret_cast<sockaddr*>(&storage),
                length) < 0)
        return false;
    while (readable(socket, milliseconds)) {
        std::array<std::uint8_t, 512> answer{};
        const ssize_t got = ::recv(socket.get(), answer.data(), answer.size(), MSG_DONTWAIT);
        const std::uint8_t type = v6 ? answer[0] : answer[kIpHeader];
        if (got > 0 && type == (v6 ? kReply6 : kReply4)) return true;
    }
    return false;
}

}  // namespace test
