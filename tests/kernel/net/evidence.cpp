#include "tests/kernel/net/evidence.hpp"

#include "base/clock.hpp"
#include "garden/net/namespace.hpp"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include <catch2/catch.hpp>

namespace test {

using namespace garden::net;

namespace {

// Sends and, when the kernel first hands over the error of an earlier packet, sends again.
void insist(
        base::FdRef socket,
        const void* data,
        std::size_t size,
        const sockaddr* to,
        socklen_t length) {
    constexpr int kTries = 10;
    for (int i = 0; i < kTries; ++i) {
        if (::sendto(socket.get(), data, size, 0, to, length) == static_cast<ssize_t>(size)) return;
    }
    FAIL("cannot send: " << std::strerror(errno));
}

}  // namespace

void send_packets(
        base::FdRef network_namespace, const std::string& address, std::uint16_t port, int count) {
    const auto inside = InNamespace::enter(network_namespace).value();
    const Address parsed = parse_address(address).value();
    const bool v6 = parsed.is_v6();
    sockaddr_in to4{};
    to4.sin_family = AF_INET;
    sockaddr_in6 to6{};
    to6.sin6_family = AF_INET6;
    // A raw socket takes no port.
    to4.sin_port = htons(port);
    to6.sin6_port = htons(port);
    std::memcpy(&to4.sin_addr, parsed.bytes.data(), 4);
    std::memcpy(&to6.sin6_addr, parsed.bytes.data(), 16);
    const auto* to =
            v6 ? reinterpret_cast<const sockaddr*>(&to6) : reinterpret_cast<const sockaddr*>(&to4);
    const socklen_t length = v6 ? sizeof to6 : sizeof to4;
    const bool echo = port == 0;
    const int protocol = !echo ? 0 : v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP};
    const base::Fd socket(::socket(
            v6 ? AF_INET6 : AF_INET, (echo ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, protocol));
    REQUIRE(socket);
    std::array<std::uint8_t, 8> request{};
    request[0] = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    // The IPv4 checksum of a request that is otherwise zero; the kernel makes that of IPv6.
    if (!v6) request[2] = static_cast<std::uint8_t>(~request[0]);
    if (!v6) request[3] = 0xff;
    for (int i = 0; i < count; ++i) {
        if (echo) {
            insist(socket, request.data(), request.size(), to, length);
        } else {
            insist(socket, "x", 1, to, length);
        }
    }
}

bool soon(const std::function<bool()>& check, std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (!check()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        base::pause_for(std::chrono::milliseconds(10));
    }
    return true;
}

std::uint64_t packets_of(const Evidence& evidence, std::string_view rule) {
    for (const RuleCount& row : evidence.rules) {
        if (row.rule == rule) return row.packets;
    }
    FAIL("no rule " << rule);
    return 0;
}

std::uint64_t logged(
        const Evidence& evidence, std::string_view reason, const std::string& destination) {
    std::uint64_t count = 0;
    for (const Connection& entry : evidence.connections) {
        const auto to = entry.packet.destination;
        if (entry.reason == reason && to && to_string(*to) == destination) count += entry.count;
    }
    return count;
}

std::uint64_t refused(const Evidence& evidence) {
    std::uint64_t count = 0;
    for (const RuleCount& row : evidence.rules) count += row.allows ? 0 : row.packets;
    return count;
}

std::uint64_t accounted(const Evidence& evidence) {
    std::uint64_t count = evidence.suppressed + evidence.forgotten + evidence.lost;
    for (const Connection& entry : evidence.connections) count += entry.allowed ? 0 : entry.count;
    return count;
}

}  // namespace test
