// Mapped ports (NET-10, NET-04): who reaches a container by the external address, and who does not.
#include "base/defer.hpp"
#include "base/sys/file.hpp"
#include "garden/net/names.hpp"
#include "tests/kernel/net/traffic.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <catch2/catch.hpp>

using namespace garden::net;
using namespace test;

namespace {

std::unique_ptr<Network> start(Config config = {}) {
    return Network::start(std::move(config)).value();
}

// Reserves and maps, as the engine does.
PortMapping map(Network& network, Guest& guest, std::uint32_t host, std::uint32_t container) {
    const PortMapping mapping = network.reserve_port(guest.lease, host, container).value();
    guest.lease.ports.push_back(mapping);
    network.map_ports(guest.lease).value();
    return mapping;
}

}  // namespace

TEST_CASE("a mapped port leads from outside to the container by TCP and by UDP") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest guest = make_guest(*network);
    const Listener tcp = listen_in(guest.netns, 8080);
    const Listener udp = udp_in(guest.netns, 8080);
    CHECK(connect_from(world.outside(), kHostAddress, 61001) != 0);
    const PortMapping mapping = map(*network, guest, 0, 8080);
    CHECK(mapping == PortMapping{.host_port = 61001, .container_port = 8080});
    const TcpFlow flow = open_tcp(world.outside(), kHostAddress, mapping.host_port, tcp);
    CHECK(flow.carries());
    CHECK(flow.peer == kOutside);  // the real one: nothing in between changes it
    std::string peer;
    CHECK(open_udp(world.outside(), kHostAddress, mapping.host_port).carries(udp, &peer));
    CHECK(peer == kOutside);
    CHECK(connect_from(world.outside(), kHostAddress, 61002) == ECONNREFUSED);
    CHECK(connect_from(world.outside(), kHostAddress, 8080) == ECONNREFUSED);
    end_guest(*network, std::move(guest));
    CHECK(nft("list map inet cloche ports4").find("61001") == std::string::npos);
}

TEST_CASE("0 as container port means the host's number and a chosen host port is kept") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest guest = make_guest(*network);
    CHECK(map(*network, guest, 0, 0) == PortMapping{.host_port = 61001, .container_port = 61001});
    CHECK(map(*network, guest, 9000, 0) == PortMapping{.host_port = 9000, .container_port = 9000});
    CHECK(map(*network, guest, 9001, 80) == PortMapping{.host_port = 9001, .container_port = 80});
    const Listener web = listen_in(guest.netns, 80);
    CHECK(connect_from(world.outside(), kHostAddress, 9001) == 0);
    end_guest(*network, std::move(guest));
}

TEST_CASE("a host port that a container or the host itself has is refused") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest a = make_guest(*network), b = make_guest(*network);
    (void)map(*network, a, 9000, 80);
    const auto refusal = [&](std::uint32_t port) {
        auto refused = network->reserve_port(b.lease, port, 80);
        return refused ? "given" : refused.error().text;
    };
    CHECK(refusal(9000) == "host port 9000 is mapped to another container already");
    const Listener own = listen_in(world.host());
    const Listener datagrams = udp_in(world.host());
    CHECK(refusal(own.port).find("in use by a service of the host itself") != std::string::npos);
    CHECK(refusal(datagrams.port).find("service of the host itself") != std::string::npos);
    CHECK(refusal(65'536) == "host_port: 65536 is no port, at most 65535");
    const auto wrong = network->reserve_port(b.lease, 0, 70'000);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().text == "container_port: 70000 is no port, at most 65535");
    end_guest(*network, std::move(a));
    CHECK(refusal(9000) == "given");
    end_guest(*network, std::move(b));
}

TEST_CASE("the host itself reaches a mapped port by its external address and no other") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    add_host_address(world.host(), "up0", "192.0.2.77", 24);
    Guest guest = make_guest(*network);
    const Listener tcp = listen_in(guest.netns, 8080);
    const Listener udp = udp_in(guest.netns, 8080);
    (void)map(*network, guest, 61010, 8080);
    CHECK(open_tcp(world.host(), kHostAddress, 61010, tcp).carries());
    CHECK(open_udp(world.host(), kHostAddress, 61010).carries(udp));
    CHECK(connect_from(world.host(), "127.0.0.1", 61010) == ECONNREFUSED);
    CHECK(connect_from(world.host(), "192.0.2.77", 61010) == ECONNREFUSED);
    CHECK(connect_from(world.outside(), "192.0.2.77", 61010) == ECONNREFUSED);  // NET-10
    CHECK(connect_from(world.outside(), kHostAddress, 61010) == 0);
    end_guest(*network, std::move(guest));
}

TEST_CASE("NET-04: containers reach each other and themselves by mapped ports alone") {
    NEEDS(root, nft);
    World world;
    // A bridge that shows its frames to IP rules translates them before they come to the host, and
    // never sends a frame back (README.md of garden/net). Per namespace.
    if (auto sysctl =
                base::sys::open_host("/proc/sys/net/bridge/bridge-nf-call-iptables", O_WRONLY))
        REQUIRE(base::sys::write_all(*sysctl, "0"));
    for (const std::string request : {"", "10.2.0.0/24"}) {
        auto network = start();
        Guest server = make_guest(*network, request), client = make_guest(*network, request);
        const Listener tcp = listen_in(server.netns, 8080);
        const Listener udp = udp_in(server.netns, 8080);
        const auto port = map(*network, server, 0, 8080).host_port;

        const TcpFlow flow = open_tcp(client.netns, kHostAddress, port, tcp);
        CHECK(flow.carries());
        CHECK(flow.peer == server.lease.host_ip);  // the answer comes back the same way
        CHECK(open_udp(client.netns, kHostAddress, port).carries(udp));
        CHECK(open_tcp(server.netns, kHostAddress, port, tcp).carries());  // itself
        CHECK(open_udp(server.netns, kHostAddress, port).carries(udp));

        CHECK(connect_from(client.netns, server.lease.container_ip, 8080, 400) != 0);
        CHECK(connect_from(client.netns, kHostAddress, 8080, 400) != 0);
        CHECK(connect_from(client.netns, client.lease.host_ip, port, 400) != 0);
        end_guest(*network, std::move(server));
        CHECK(connect_from(client.netns, kHostAddress, port, 400) != 0);
        end_guest(*network, std::move(client));
    }
}

TEST_CASE("what a container may call is decided by the external address it called") {
    NEEDS(root, nft);
    World world;
    auto network = start({.deny_networks = {std::string(kHostAddress) + "/32"}});
    Guest server = make_guest(*network), client = make_guest(*network);
    const Listener tcp = listen_in(server.netns, 8080);
    const auto port = map(*network, server, 0, 8080).host_port;
    CHECK(connect_from(client.netns, kHostAddress, port) == ECONNREFUSED);  // denied networks
    const Address inner = parse_address(server.lease.container_ip).value();
    const Address outer = parse_address(kHostAddress).value();
    const OutRule other_port{
            .protocol = OutProtocol::tcp,
            .networks = {{.first = outer, .last = outer}},
            .ports = {{.first = 8080, .last = 8080}}};
    network->allow(client.lease, std::array{other_port}).value();
    CHECK(connect_from(client.netns, kHostAddress, port) == ECONNREFUSED);
    const OutRule behind{
            .protocol = OutProtocol::tcp, .networks = {{.first = inner, .last = inner}}};
    network->allow(client.lease, std::array{behind}).value();
    CHECK(connect_from(client.netns, kHostAddress, port) == ECONNREFUSED);
    const OutRule right{
            .protocol = OutProtocol::tcp,
            .networks = {{.first = outer, .last = outer}},
            .ports = {{.first = port, .last = port}}};
    network->allow(client.lease, std::array{right}).value();
    CHECK(open_tcp(client.netns, kHostAddress, port, tcp).carries());
    end_guest(*network, std::move(server));
    end_guest(*network, std::move(client));
}

TEST_CASE("mapped ports work by IPv6 where host and container have it") {
    NEEDS(root, nft);
    World world;
    auto network = start({.pool6 = "fd00:77::/48"});
    Guest server = make_guest(*network), client = make_guest(*network);
    const Listener tcp = listen_in(server.netns, 8080);
    const Listener udp = udp_in(server.netns, 8080);
    const auto port = map(*network, server, 0, 8080).host_port;
    CHECK(open_tcp(world.outside(), kHostAddress6, port, tcp).carries());
    CHECK(open_udp(world.outside(), kHostAddress6, port).carries(udp));
    CHECK(open_tcp(world.outside(), kHostAddress, port, tcp).carries());
    CHECK(open_tcp(world.host(), kHostAddress6, port, tcp).carries());
    CHECK(open_tcp(client.netns, kHostAddress6, port, tcp).carries());
    CHECK(open_tcp(server.netns, kHostAddress6, port, tcp).carries());
    CHECK(connect_from(client.netns, server.lease.container_ip6, 8080, 400) != 0);
    end_guest(*network, std::move(server));
    CHECK(nft("list map inet cloche ports6").find("8080") == std::string::npos);
    end_guest(*network, std::move(client));
}

TEST_CASE("a restart keeps mapped ports working and in use and goes on in the queue") {
    NEEDS(root, nft);
    World world;
    std::string directory = "/tmp/ports-test.XXXXXX";
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    const base::Defer remove([&] { std::filesystem::remove_all(directory); });
    const Config config{.port_pool_size = 3, .port_file = directory + "/ports"};
    auto network = start(config);
    Guest guest = make_guest(*network), other = make_guest(*network);
    const Listener tcp = listen_in(guest.netns, 8080);
    CHECK(map(*network, guest, 0, 8080).host_port == 61001);
    CHECK(map(*network, other, 0, 80).host_port == 61002);
    end_guest(*network, std::move(other));
    const TcpFlow flow = open_tcp(world.outside(), kHostAddress, 61001, tcp);
    network.reset();
    CHECK(flow.carries());
    network = start(config);
    network->adopt(guest.lease).value();
    CHECK(flow.carries());
    CHECK(open_tcp(world.outside(), kHostAddress, 61001, tcp).carries());
    Guest next = make_guest(*network);
    CHECK_FALSE(network->reserve_port(next.lease, 61001, 0));
    CHECK(map(*network, next, 0, 0).host_port == 61003);  // not the one just freed
    CHECK(map(*network, next, 0, 0).host_port == 61002);
    CHECK(network->reserve_port(next.lease, 0, 0).error().text == "port pool is exhausted");
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(next));
}

TEST_CASE("a port that a killed run wrote down but did not map is mapped when adopted") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest guest = make_guest(*network);
    const Listener tcp = listen_in(guest.netns, 8080);
    guest.lease.ports.push_back(network->reserve_port(guest.lease, 0, 8080).value());
    network = start();
    network->adopt(guest.lease).value();
    CHECK(open_tcp(world.outside(), kHostAddress, 61001, tcp).carries());
    // A port in the kernel that belongs to nobody goes with the sweep of its lease.
    network = start();
    CHECK(network->sweep(guest.lease.id));
    CHECK(network->present()->empty());
    CHECK(nft("list map inet cloche ports4").find("61001") == std::string::npos);
}
