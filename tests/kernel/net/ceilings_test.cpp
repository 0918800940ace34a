// NET-11: connections that nobody answers, and packets of UDP and ICMP.
#include "garden/net/conntrack.hpp"
#include "garden/net/namespace.hpp"
#include "tests/kernel/net/evidence.hpp"
#include "tests/kernel/net/traffic.hpp"
#include "tests/support/needs.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <vector>

#include <catch2/catch.hpp>

using namespace garden::net;
using namespace test;
using namespace std::chrono_literals;

namespace {

constexpr const char *kSilent = "203.0.113.9", *kSilent6 = "2001:db8:1::9";  // behind the uplink

Config only(Config config) {
    config.pool6 = "fd00:77::/48";
    config.max_connections = config.new_connections = 0;
    return config;
}

Config nothing_limited() {
    return only({.half_open_connections = 0, .udp_packets = 0, .icmp_packets = 0});
}

// Sends a SYN to each port and waits for nothing.
std::vector<base::Fd> knock(base::FdRef from, const char* address, std::uint16_t ports) {
    const auto inside = InNamespace::enter(from).value();
    const Address parsed = parse_address(address).value();
    std::vector<base::Fd> sockets;
    for (std::uint16_t port = 1; port <= ports; ++port) {
        base::Fd socket(::socket(
                parsed.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                0));
        sockaddr_in to4{.sin_family = AF_INET, .sin_port = htons(port)};
        sockaddr_in6 to6{.sin6_family = AF_INET6, .sin6_port = htons(port)};
        (void)::inet_pton(AF_INET, address, &to4.sin_addr);
        (void)::inet_pton(AF_INET6, address, &to6.sin6_addr);
        const int done =
                parsed.is_v6()
                        ? ::connect(
                                  socket.get(), reinterpret_cast<const sockaddr*>(&to6), sizeof to6)
                        : ::connect(
                                  socket.get(), reinterpret_cast<const sockaddr*>(&to4),
                                  sizeof to4);
        REQUIRE(done == -1);
        REQUIRE(errno == EINPROGRESS);
        sockets.push_back(std::move(socket));
    }
    return sockets;
}

// What is dropped is in no list of the kernel.
std::size_t opened_by(const std::string& address) {
    auto netfilter = Netlink::open(NETLINK_NETFILTER).value();
    return list_flows(netfilter, parse_address(address).value(), Side::opened).value().size();
}

std::uint64_t over_limits(Network& network, const Lease& lease) {
    return packets_of(network.evidence(lease, 0).value(), "over the limits of connections");
}

std::size_t elements_of(const std::string& set) {
    std::size_t count = 0;
    const std::string text = nft("list " + set);
    for (auto at = text.find("expires"); at != std::string::npos; at = text.find("expires", at + 1))
        ++count;
    return count;
}

}  // namespace

TEST_CASE("NET-11: connections that nobody answers are held to the limit of the container") {
    NEEDS(root, nft);
    World world;
    Config config = nothing_limited();
    config.half_open_connections = 1;
    CHECK(Network::start(config).error().kind == base::Errc::invalid);
    config.half_open_connections = 8;
    auto network = Network::start(config).value();
    Guest guest = make_guest(*network), other = make_guest(*network);
    const Listener server = listen_in(world.outside());
    const auto waiting = knock(guest.netns, kSilent, 20);
    CHECK(opened_by(guest.lease.container_ip) == 8);
    CHECK(over_limits(*network, guest.lease) >= 12);
    CHECK(elements_of("set inet cloche half_open4") == 8);
    CHECK(open_tcp(guest.netns, kOutside, server.port, server, 300).error == ETIMEDOUT);
    // Each address for itself.
    const auto waiting6 = knock(guest.netns, kSilent6, 20);
    CHECK(opened_by(guest.lease.container_ip6) == 8);
    CHECK(open_tcp(other.netns, kOutside, server.port, server).carries());
    CHECK(over_limits(*network, other.lease) == 0);
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(other));
}

TEST_CASE("NET-11: connections that are answered, with yes or no, wait for nothing") {
    NEEDS(root, nft);
    World world;
    Config config = nothing_limited();
    config.half_open_connections = 4;
    auto network = Network::start(config).value();
    Guest guest = make_guest(*network);
    const Listener server = listen_in(world.outside());
    std::uint16_t closed = 0;
    {
        closed = listen_in(world.outside()).port;  // nobody listens there behind it
    }
    std::vector<TcpFlow> flows;
    for (int i = 0; i < 20; ++i) {
        flows.push_back(open_tcp(guest.netns, kOutside, server.port, server));
        REQUIRE(flows.back().open());
        REQUIRE(connect_from(guest.netns, kOutside, closed) == ECONNREFUSED);
        REQUIRE(connect_from(guest.netns, kOutside6, closed) == ECONNREFUSED);
    }
    for (const TcpFlow& flow : flows) CHECK(flow.carries());
    CHECK(elements_of("set inet cloche half_open4") == 0);
    CHECK(elements_of("set inet cloche half_open6") == 0);
    CHECK(elements_of("set inet cloche waiting4") == 0);
    CHECK(over_limits(*network, guest.lease) == 0);
    // Between containers by a mapped port, where the answer comes through two translations.
    Guest web = make_guest(*network);
    const Listener inside = listen_in(web.netns, 8080);
    web.lease.ports.push_back(network->reserve_port(web.lease, 9000, 8080).value());
    network->map_ports(web.lease).value();
    for (int i = 0; i < 10; ++i) REQUIRE(connect_from(guest.netns, kHostAddress, 9000) == 0);
    CHECK(elements_of("set inet cloche half_open4") == 0);
    network->settle().value();  // what packets put there is no change by others
    CHECK(network->integrity().value().repairs == 0);
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(web));
}

TEST_CASE("NET-11: UDP packets beyond a second's share are dropped, of a flow that exists too") {
    NEEDS(root, nft);
    World world;
    Config config = nothing_limited();
    config.udp_packets = 50;
    auto network = Network::start(config).value();
    Guest guest = make_guest(*network), other = make_guest(*network);
    const Listener udp = udp_in(world.outside()), tcp = listen_in(world.outside());
    const Listener quiet = udp_in(world.outside());
    const UdpFlow flow = open_udp(guest.netns, kOutside, udp.port);
    REQUIRE(flow.carries(udp));
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 500; ++i) (void)::send(flow.client.get(), "x", 1, 0);
    const auto took = std::chrono::steady_clock::now() - begin;
    const auto dropped = over_limits(*network, guest.lease);
    CHECK(dropped <= 451);  // one went before
    CHECK(dropped >= 390 - static_cast<std::uint64_t>(took / 20ms));
    send_packets(guest.netns, kOutside6, udp.port, 200);
    CHECK(over_limits(*network, guest.lease) >= dropped + 90);
    CHECK(open_tcp(guest.netns, kOutside, tcp.port, tcp).carries());
    CHECK(open_udp(other.netns, kOutside, quiet.port).carries(quiet));
    CHECK(soon([&] { return flow.carries(udp); }, 3000ms));  // it goes on when time has passed
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(other));
}

TEST_CASE("NET-11: ICMP packets beyond a second's share are dropped, to the host as well") {
    NEEDS(root, nft);
    World world;
    Config config = nothing_limited();
    config.icmp_packets = 10;
    auto network = Network::start(config).value();
    Guest guest = make_guest(*network), other = make_guest(*network);
    const Listener udp = udp_in(world.outside());
    REQUIRE(ping(guest.netns, kOutside));
    send_packets(guest.netns, kOutside, 0, 100);
    const auto v4 = over_limits(*network, guest.lease);
    CHECK(v4 >= 75);
    CHECK(v4 <= 99);
    send_packets(guest.netns, kOutside6, 0, 100);
    const auto v6 = over_limits(*network, guest.lease);
    CHECK(v6 >= v4 + 75);
    send_packets(guest.netns, guest.lease.host_ip, 0, 50);
    CHECK(over_limits(*network, guest.lease) >= v6 + 35);
    CHECK(open_udp(guest.netns, kOutside, udp.port).carries(udp));
    CHECK(ping(other.netns, kOutside));
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(other));
}
