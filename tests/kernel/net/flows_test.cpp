// What happens to flows that exist: when rules are replaced, when a container ends, when there are
// too many, and how fast they may be.
#include "base/clock.hpp"
#include "base/defer.hpp"
#include "garden/net/conntrack.hpp"
#include "garden/net/names.hpp"
#include "garden/net/namespace.hpp"
#include "garden/net/shaping.hpp"
#include "tests/kernel/net/evidence.hpp"
#include "tests/kernel/net/traffic.hpp"
#include "tests/support/needs.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include <catch2/catch.hpp>

using namespace garden::net;
using namespace test;
using namespace std::chrono_literals;

namespace {

OutRule to(const char* address, OutProtocol protocol) {
    const Address parsed = parse_address(address).value();
    return {.protocol = protocol, .networks = {{.first = parsed, .last = parsed}}};
}

Config closed() {
    Config config;
    config.egress_deny = true;
    return config;
}

// The thread has no CAP_NET_ADMIN until the end of the scope.
class WithoutNetAdmin {
  public:
    WithoutNetAdmin() {
        REQUIRE(::syscall(SYS_capget, &header_, before_.data()) == 0);
        auto less = before_;
        less.at(0).effective &= ~(1U << CAP_NET_ADMIN);
        REQUIRE(::syscall(SYS_capset, &header_, less.data()) == 0);
    }

    WithoutNetAdmin(const WithoutNetAdmin&) = delete;
    WithoutNetAdmin& operator=(const WithoutNetAdmin&) = delete;

    ~WithoutNetAdmin() { (void)::syscall(SYS_capset, &header_, before_.data()); }

  private:
    __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> before_{};
};

std::uint64_t over_limits(Network& network, const Lease& lease) {
    return packets_of(network.evidence(lease, 0).value(), "over the limits of connections");
}

// Bytes per second that arrive, over a second and a half after a warm-up.
double rate_of(const TcpFlow& flow, bool to_server) {
    const base::FdRef from = to_server ? flow.client : flow.server;
    const base::FdRef target = to_server ? flow.server : flow.client;
    std::atomic<bool> stop{false};
    std::thread sender([&] {
        const std::vector<char> data(32 * 1024, 'x');
        while (!stop) {
            pollfd waiting{.fd = from.get(), .events = POLLOUT, .revents = 0};
            if (::poll(&waiting, 1, 20) == 1)
                (void)::send(from.get(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    });
    const base::Defer join([&] {
        stop = true;
        sender.join();
    });
    std::vector<char> data(64 * 1024);
    using Clock = std::chrono::steady_clock;
    const auto receive_for = [&](std::chrono::milliseconds time) {
        std::size_t total = 0;
        const auto end = Clock::now() + time;
        while (Clock::now() < end) {
            pollfd waiting{.fd = target.get(), .events = POLLIN, .revents = 0};
            if (::poll(&waiting, 1, 20) != 1) continue;
            const auto got = ::recv(target.get(), data.data(), data.size(), MSG_DONTWAIT);
            if (got > 0) total += static_cast<std::size_t>(got);
        }
        return total;
    };
    (void)receive_for(std::chrono::milliseconds(500));
    return static_cast<double>(receive_for(std::chrono::milliseconds(1500))) / 1.5;
}

}  // namespace

TEST_CASE("NET-06: with egress denied a container reaches what its rules name and nothing else") {
    NEEDS(root, nft);
    World world;
    Config config = closed();
    config.pool6 = "fd00:77::/48";
    auto network = Network::start(config).value();
    const Listener server = listen_in(world.outside());
    Guest guest = make_guest(*network);
    CHECK(connect_from(guest.netns, kOutside, server.port) != 0);
    CHECK(connect_from(guest.netns, kOutside6, server.port) != 0);
    CHECK_FALSE(ping(guest.netns, kOutside));
    CHECK_FALSE(ping(guest.netns, kOutside6));
    network->allow(guest.lease, std::array{to(kOutside, OutProtocol::tcp)}).value();
    CHECK(connect_from(guest.netns, kOutside, server.port) == 0);
    CHECK_FALSE(ping(guest.netns, kOutside));
    network->allow(guest.lease, std::array{to(kOutside, OutProtocol::icmp)}).value();
    CHECK(ping(guest.netns, kOutside));
    CHECK(connect_from(guest.netns, kOutside6, server.port) != 0);
    end_guest(*network, std::move(guest));
}

TEST_CASE("ICMP passes to where a container may go and to no other container") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({}).value();
    Guest a = make_guest(*network), b = make_guest(*network);
    CHECK(ping(a.netns, kOutside));
    CHECK_FALSE(ping(a.netns, b.lease.container_ip));
    CHECK_FALSE(ping(a.netns, kMetadata));
    CHECK_FALSE(ping(a.netns, kHostAddress));
    CHECK(ping(world.host(), a.lease.container_ip));
    end_guest(*network, std::move(a));
    end_guest(*network, std::move(b));
}

TEST_CASE("established flows end when their rule is replaced and others go on") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(closed()).value();
    const Listener tcp = listen_in(world.outside()), udp = udp_in(world.outside());
    Guest guest = make_guest(*network);
    const std::array both{to(kOutside, OutProtocol::all), to(kDenied, OutProtocol::tcp)};
    network->replace(guest.lease, both).value();
    const TcpFlow removed = open_tcp(guest.netns, kOutside, tcp.port, tcp);
    const TcpFlow kept = open_tcp(guest.netns, kDenied, tcp.port, tcp);
    const UdpFlow datagrams = open_udp(guest.netns, kOutside, udp.port);
    REQUIRE(removed.carries());
    REQUIRE(kept.carries());
    REQUIRE(datagrams.carries(udp));
    network->replace(guest.lease, both).value();  // the same again disturbs nobody
    CHECK(removed.carries());
    CHECK(datagrams.carries(udp));

    network->replace(guest.lease, std::array{to(kDenied, OutProtocol::tcp)}).value();
    CHECK(connect_from(guest.netns, kOutside, tcp.port) != 0);  // new ones at once
    CHECK(soon([&] { return !removed.carries(); }, 1000ms));
    CHECK(soon([&] { return !datagrams.carries(udp); }, 1000ms));
    CHECK(kept.carries());
    network->replace(guest.lease, {}).value();
    CHECK(soon([&] { return !kept.carries(); }, 1000ms));
    end_guest(*network, std::move(guest));
}

TEST_CASE("a flow from outside to a mapped port is no matter of egress rules") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(closed()).value();
    Guest guest = make_guest(*network);
    const Listener tcp = listen_in(guest.netns, 80);
    guest.lease.ports.push_back(network->reserve_port(guest.lease, 0, 80).value());
    network->map_ports(guest.lease).value();
    const TcpFlow flow = open_tcp(world.outside(), kHostAddress, 61001, tcp);
    REQUIRE(flow.carries());
    network->replace(guest.lease, {}).value();
    CHECK(flow.carries());
    end_guest(*network, std::move(guest));
}

TEST_CASE("the next container with an address gets nothing that was on its way to the last one") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({.port_pool_size = 1}).value();
    Guest first = make_guest(*network);
    const std::string address = first.lease.container_ip;
    const Listener old = udp_in(first.netns, 9000);
    first.lease.ports.push_back(network->reserve_port(first.lease, 0, 9000).value());
    network->map_ports(first.lease).value();
    const UdpFlow client = open_udp(world.outside(), kHostAddress, 61001);
    REQUIRE(client.carries(old));
    end_guest(*network, std::move(first));
    Guest second = make_guest(*network);
    REQUIRE(second.lease.container_ip == address);
    const Listener fresh = udp_in(second.netns, 9000);
    CHECK_FALSE(client.carries(fresh));  // it has no mapped port
    end_guest(*network, std::move(second));
}

TEST_CASE("no flow of a container is known to the kernel when its lease is released") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({.pool6 = "fd00:77::/48"}).value();
    const Listener tcp = listen_in(world.outside()), udp = udp_in(world.outside());
    Guest guest = make_guest(*network), other = make_guest(*network);
    const TcpFlow stream = open_tcp(guest.netns, kOutside, tcp.port, tcp);
    const TcpFlow stream6 = open_tcp(guest.netns, kOutside6, tcp.port, tcp);
    const UdpFlow datagrams = open_udp(guest.netns, kOutside, udp.port);
    REQUIRE(datagrams.carries(udp));
    const TcpFlow neighbours = open_tcp(other.netns, kOutside, tcp.port, tcp);
    const auto address = parse_address(guest.lease.container_ip).value();
    const auto address6 = parse_address(guest.lease.container_ip6).value();
    const auto others = parse_address(other.lease.container_ip).value();
    auto netfilter = Netlink::open(NETLINK_NETFILTER).value();
    const auto known = [&](const Address& of) {
        return list_flows(netfilter, of, Side::opened).value().size();
    };
    CHECK(known(address) == 2);
    CHECK(known(address6) == (stream6.open() ? 1 : 0));
    REQUIRE(known(others) == 1);
    end_guest(*network, std::move(guest));
    CHECK(known(address) == 0);
    CHECK(known(address6) == 0);
    CHECK(known(others) == 1);
    CHECK(neighbours.carries());
    CHECK(network->integrity().value().unended_flows == "");
    end_guest(*network, std::move(other));
}

TEST_CASE("leases that are given back together lose all their flows and nobody else's") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({.pool6 = "fd00:77::/48"}).value();
    const Listener udp = udp_in(world.outside());
    std::vector<Guest> guests;
    for (int i = 0; i < 3; ++i) guests.push_back(make_guest(*network));
    auto netfilter = Netlink::open(NETLINK_NETFILTER).value();
    const auto known = [&](const Guest& guest) {
        const auto address = parse_address(guest.lease.container_ip).value();
        return list_flows(netfilter, address, Side::opened).value().size();
    };
    for (const Guest& guest : guests) {
        REQUIRE(open_udp(guest.netns, kOutside, udp.port).carries(udp));
        REQUIRE(known(guest) == 1);
    }
    const auto before = network->free_subnets();
    for (std::size_t i = 0; i < 2; ++i) REQUIRE(network->disconnect(guests[i].lease, false));
    network->release_all(std::array{guests[0].lease, guests[1].lease});
    CHECK(known(guests[0]) == 0);
    CHECK(known(guests[1]) == 0);
    CHECK(known(guests[2]) == 1);
    CHECK(network->free_subnets() == before + 2);
    CHECK(network->integrity().value().unended_flows == "");
    end_guest(*network, std::move(guests[2]));
}

TEST_CASE("flows that the kernel does not forget are told") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({}).value();
    const Listener udp = udp_in(world.outside());
    Guest guest = make_guest(*network);
    REQUIRE(open_udp(guest.netns, kOutside, udp.port).carries(udp));
    REQUIRE(network->disconnect(guest.lease, false));
    {
        const WithoutNetAdmin powerless;
        network->release(guest.lease);
    }
    const std::string told = network->integrity().value().unended_flows;
    CHECK(told.find(guest.lease.id) != std::string::npos);
    CHECK(told.find("not permitted") != std::string::npos);
}

TEST_CASE("NET-11: connections over the limit of a container are dropped and its neighbour's not") {
    NEEDS(root, nft);
    World world;
    Config config;
    config.max_connections = 10;
    auto network = Network::start(config).value();
    const Listener server = listen_in(world.outside());
    Guest guest = make_guest(*network), other = make_guest(*network);
    std::vector<TcpFlow> flows;
    for (int i = 0; i < 10; ++i)
        flows.push_back(open_tcp(guest.netns, kOutside, server.port, server));
    for (const TcpFlow& flow : flows) CHECK(flow.carries());
    CHECK(open_tcp(guest.netns, kOutside, server.port, server, 400).error == ETIMEDOUT);
    CHECK(flows.front().carries());
    CHECK(open_tcp(other.netns, kOutside, server.port, server).carries());
    CHECK(over_limits(*network, guest.lease) >= 1);
    CHECK(over_limits(*network, other.lease) == 0);
    flows.resize(3);  // who ends some may have others
    CHECK(soon(
            [&] { return open_tcp(guest.netns, kOutside, server.port, server, 400).carries(); },
            3000ms));
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(other));
}

TEST_CASE("NET-11: new connections beyond a second's share are dropped") {
    NEEDS(root, nft);
    World world;
    Config config;
    config.new_connections = 1;
    config.new_connections_burst = 5;
    auto network = Network::start(config).value();
    const Listener server = udp_in(world.outside());
    Guest guest = make_guest(*network), other = make_guest(*network);
    int passed = 0;
    for (int i = 0; i < 12; ++i) {
        const UdpFlow flow = open_udp(guest.netns, kOutside, server.port);
        char byte = 'n';
        (void)::send(flow.client.get(), &byte, 1, 0);
        pollfd waiting{.fd = server.socket.get(), .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, 50) == 1 && ::recv(server.socket.get(), &byte, 1, 0) == 1) ++passed;
    }
    CHECK(passed >= 5);
    CHECK(passed <= 8);
    CHECK(over_limits(*network, guest.lease) == static_cast<std::uint64_t>(12 - passed));
    CHECK(open_udp(other.netns, kOutside, server.port).carries(server));
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(other));
}

TEST_CASE("NET-14: both directions keep to the rate, also when the container changes its own end") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({}).value();
    const Listener server = listen_in(world.outside());
    Guest guest = make_guest(*network);
    constexpr double kRate = 500'000;
    guest.lease.shaping = make_shaping(500'000, 20'000).value();
    network->shape(guest.lease, guest.netns).value();
    const TcpFlow flow = open_tcp(guest.netns, kOutside, server.port, server);
    REQUIRE(flow.carries());
    CHECK(rate_of(flow, true) == Approx(kRate).epsilon(0.3));
    const TcpFlow back = open_tcp(guest.netns, kOutside, server.port, server);
    CHECK(rate_of(back, false) == Approx(kRate).epsilon(0.3));

    guest.lease.shaping = {};
    network->shape(guest.lease, guest.netns).value();
    const TcpFlow open = open_tcp(guest.netns, kOutside, server.port, server);
    CHECK(rate_of(open, true) > 4 * kRate);
    network->shape(guest.lease, guest.netns).value();  // nothing to take away is fine

    // As root inside with CAP_NET_ADMIN would: the own end unshaped, the limit held outside.
    guest.lease.shaping = make_shaping(500'000, 20'000).value();
    network->shape(guest.lease, guest.netns).value();
    {
        const auto inside = InNamespace::enter(guest.netns).value();
        REQUIRE(::system(("tc qdisc del dev " + guest.lease.container_interface + " root")
                                 .c_str()) == 0);
    }
    const TcpFlow greedy = open_tcp(guest.netns, kOutside, server.port, server);
    (void)rate_of(greedy, true);  // uses up what a second may have at once
    CHECK(rate_of(greedy, true) < 1.5 * kRate);
    end_guest(*network, std::move(guest));
}
