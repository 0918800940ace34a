// Who reaches whom: the default policy of garden-behaviours C.3 with NET-02, NET-04, NET-05,
// NET-08, NET-12.
#include "garden/net/names.hpp"
#include "tests/kernel/net/world.hpp"
#include "tests/support/needs.hpp"

#include <cerrno>

#include <catch2/catch.hpp>

using namespace garden::net;
using namespace test;

namespace {

std::unique_ptr<Network> start(Config config = {}) {
    return Network::start(std::move(config)).value();
}

std::vector<std::uint8_t> bytes(const Mac& mac) {
    return {mac.begin(), mac.end()};
}

}  // namespace

TEST_CASE("a container reaches the outside through the host's address") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    const Listener server = listen_in(world.outside());
    Guest guest = make_guest(*network);
    CHECK(guest.lease.external_ip == kHostAddress);
    CHECK(connect_from(guest.netns, kOutside, server.port) == 0);
    CHECK(server.accepted() == kHostAddress);
    end_guest(*network, std::move(guest));
}

TEST_CASE("both ends have the MTU of the uplink and the counters are the container's") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest guest = make_guest(*network);
    CHECK(guest.lease.mtu == 1480);
    CHECK(mtu_of(guest.netns, guest.lease.container_interface) == 1480);
    CHECK(mtu_of(world.host(), guest.lease.host_interface) == 1480);
    const Listener server = listen_in(world.outside());
    const Counters before = network->counters(guest.lease).value();
    CHECK(connect_from(guest.netns, kOutside, server.port) == 0);
    const Counters after = network->counters(guest.lease).value();
    CHECK(after.rx_bytes > before.rx_bytes);
    CHECK(after.tx_bytes > after.rx_bytes);  // SYN + ACK + FIN against SYN-ACK (+ ACK)
}

TEST_CASE("loopback works in a container and IPv6 is off unless asked for") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest guest = make_guest(*network);
    const Listener own = listen_in(guest.netns);
    CHECK(connect_from(guest.netns, "127.0.0.1", own.port) == 0);
    CHECK(connect_from(guest.netns, guest.lease.container_ip, own.port) == 0);
    CHECK(read_in(guest.netns, "/proc/sys/net/ipv6/conf/all/disable_ipv6") == "1\n");
    CHECK(read_in(guest.netns, "/proc/thread-self/net/if_inet6").empty());
    CHECK(connect_from(guest.netns, kOutside6, 80) != 0);
}

TEST_CASE("the host reaches a container, a container does not reach the host") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    const Listener host = listen_in(world.host());
    Guest guest = make_guest(*network);
    const Listener inside = listen_in(guest.netns);
    CHECK(connect_from(world.host(), guest.lease.container_ip, inside.port) == 0);
    CHECK(inside.accepted() == guest.lease.host_ip);
    CHECK(connect_from(guest.netns, guest.lease.host_ip, host.port) == EHOSTUNREACH);
    CHECK(connect_from(guest.netns, kHostAddress, host.port) == EHOSTUNREACH);
    CHECK(host.accepted().empty());
    network.reset();  // two at once would each put their own rules back
    network =
            start({.allow_host_access =
                           true});  // a restart with another setting holds for living containers
    CHECK(connect_from(guest.netns, guest.lease.host_ip, host.port) == 0);
}

TEST_CASE("denied networks and metadata addresses are refused, a listed resolver is not") {
    NEEDS(root, nft);
    World world;
    auto network =
            start({.deny_networks = {"198.51.100.0/24", "10.0.0.0/8", "203.0.113.4"},
                   .dns_servers = {kDenied}});
    const Listener server = listen_in(world.outside());
    const Listener resolver = listen_in(world.outside(), 53);
    Guest guest = make_guest(*network);
    CHECK(connect_from(guest.netns, kOutside, server.port) == 0);
    CHECK(connect_from(guest.netns, kDenied, server.port) == ECONNREFUSED);
    CHECK(connect_from(guest.netns, kMetadata, server.port) == EHOSTUNREACH);
    CHECK(connect_from(guest.netns, kDenied, 53) == 0);
    CHECK(connect_from(guest.netns, kMetadata, 53) == EHOSTUNREACH);
    network.reset();
    network = start({.deny_networks = {"192.0.2.0/24"}, .dns_servers = {"192.0.2.9"}});
    CHECK(connect_from(guest.netns, kOutside, server.port) == ECONNREFUSED);
    CHECK(connect_from(guest.netns, kDenied, server.port) == 0);
}

TEST_CASE("containers do not reach each other") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest a = make_guest(*network), b = make_guest(*network);
    const Listener inside = listen_in(b.netns);
    CHECK(connect_from(a.netns, b.lease.container_ip, inside.port) == EHOSTUNREACH);
    CHECK(connect_from(world.host(), b.lease.container_ip, inside.port) == 0);
}

TEST_CASE("containers of one requested subnet are isolated unless the operator groups them") {
    NEEDS(root, nft);
    World world;
    for (const bool isolated : {true, false}) {
        auto network = start({.isolate_shared_subnets = isolated});
        Guest a = make_guest(*network, "10.2.0.0/24"), b = make_guest(*network, "10.2.0.7/24");
        CHECK(b.lease.container_ip == "10.2.0.7");
        CHECK(a.lease.bridge == b.lease.bridge);
        const Listener inside = listen_in(b.netns);
        const Listener server = listen_in(world.outside());
        CHECK(connect_from(world.host(), "10.2.0.7", inside.port) == 0);
        CHECK(connect_from(a.netns, kOutside, server.port) == 0);
        CHECK((connect_from(a.netns, "10.2.0.7", inside.port, 500) == 0) == !isolated);
        end_guest(*network, std::move(a));
        CHECK(connect_from(b.netns, kOutside, server.port) == 0);  // the bridge stays for the other
        end_guest(*network, std::move(b));
        for (const std::string& name : interfaces()) CHECK(name.find("brdg") == std::string::npos);
    }
}

TEST_CASE("nobody outside reaches a container by routing to it") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest guest = make_guest(*network);
    const Listener inside = listen_in(guest.netns);
    {
        // The neighbour on the uplink routes the pool to the host.
        add_host_address(world.outside(), "out0", "10.254.3.254", 22);
        CHECK(connect_from(world.outside(), guest.lease.container_ip, inside.port, 500) != 0);
    }
    CHECK(inside.accepted().empty());
}

TEST_CASE("frames with a foreign source are dropped and counted at the container's own interface") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest guest = make_guest(*network), other = make_guest(*network);
    const Address own = parse_address(guest.lease.container_ip).value();
    const auto own_mac = bytes(container_mac(own));
    const auto gateway = bytes(gateway_mac(parse_address(guest.lease.host_ip).value()));
    const std::string chain = ingress_chain(guest.lease.id);
    const std::vector<std::uint8_t> forged_mac = {2, 1, 2, 3, 4, 5};

    send_frame(guest, udp_frame(own_mac, gateway, guest.lease.container_ip, kOutside, 9));
    CHECK(dropped("cloche", chain) == 0);
    send_frame(guest, udp_frame(own_mac, gateway, other.lease.container_ip, kOutside, 9));
    CHECK(dropped("cloche", chain) == 1);
    send_frame(guest, udp_frame(own_mac, gateway, "203.0.113.9", kOutside, 9));
    CHECK(dropped("cloche", chain) == 2);
    send_frame(guest, udp_frame(forged_mac, gateway, guest.lease.container_ip, kOutside, 9));
    CHECK(dropped("cloche", chain) == 3);

    // ARP: honest, then claiming the neighbour's address, then with another hardware address
    // inside.
    const auto arp = [&](const std::vector<std::uint8_t>& claimed_mac, const std::string& claimed) {
        std::vector<std::uint8_t> frame = gateway;
        frame.insert(frame.end(), own_mac.begin(), own_mac.end());
        const std::vector<std::uint8_t> head = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2};
        frame.insert(frame.end(), head.begin(), head.end());
        frame.insert(frame.end(), claimed_mac.begin(), claimed_mac.end());
        const Address address = parse_address(claimed).value();
        frame.insert(frame.end(), address.bytes.begin(), address.bytes.begin() + 4);
        frame.resize(frame.size() + 10);
        return frame;
    };
    send_frame(guest, arp(own_mac, guest.lease.container_ip));
    CHECK(dropped("cloche", chain) == 3);
    send_frame(guest, arp(own_mac, other.lease.container_ip));
    CHECK(dropped("cloche", chain) == 4);
    send_frame(guest, arp(forged_mac, guest.lease.container_ip));
    CHECK(dropped("cloche", chain) == 5);

    // Anything that is neither IP nor ARP.
    std::vector<std::uint8_t> strange = gateway;
    strange.insert(strange.end(), own_mac.begin(), own_mac.end());
    strange.insert(strange.end(), {0x88, 0xb5});
    strange.resize(64);
    send_frame(guest, strange);
    CHECK(dropped("cloche", chain) == 6);
    CHECK(dropped("cloche", ingress_chain(other.lease.id)) == 0);
}

TEST_CASE("IPv6 has the same rules as IPv4") {
    NEEDS(root, nft);
    World world;
    auto network = start({.pool6 = "fd00:77::/48", .deny_networks = {"2001:db8:dead::/48"}});
    const Listener server = listen_in(world.outside());
    const Listener host = listen_in(world.host());
    for (const std::string request : {"", "10.2.0.0/24"}) {
        Guest a = make_guest(*network, request), b = make_guest(*network, request);
        const Listener inside = listen_in(b.netns);
        CHECK(connect_from(a.netns, kOutside, server.port) == 0);
        CHECK(connect_from(a.netns, kOutside6, server.port) == 0);
        CHECK(server.accepted() == kHostAddress);
        CHECK(server.accepted() == kHostAddress6);
        CHECK(connect_from(a.netns, kDenied6, server.port) == ECONNREFUSED);
        CHECK(connect_from(a.netns, kHostAddress6, host.port) ==
              EACCES);  // administratively prohibited
        CHECK(connect_from(a.netns, a.lease.host_ip6, host.port) == EACCES);
        CHECK(connect_from(a.netns, b.lease.container_ip6, inside.port, 500) != 0);
        CHECK(connect_from(world.host(), b.lease.container_ip6, inside.port) == 0);

        // A second address, as root with CAP_NET_ADMIN would take it, gets nowhere.
        const std::uint64_t before = dropped("cloche", ingress_chain(a.lease.id));
        add_host_address(a.netns, a.lease.container_interface, "fd00:77::bad", 128);
        CHECK(connect_from(a.netns, kOutside6, server.port, 500) == ETIMEDOUT);
        CHECK(dropped("cloche", ingress_chain(a.lease.id)) > before);
        end_guest(*network, std::move(a));
        end_guest(*network, std::move(b));
    }
    network->tear_down().value();
    CHECK(interfaces().empty());
}
