// NET-07: counters and the log say exactly what was sent.
#include "base/fail.hpp"
#include "garden/net/names.hpp"
#include "garden/net/table.hpp"
#include "tests/kernel/net/evidence.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include <catch2/catch.hpp>

using namespace garden::net;
using namespace test;
using namespace std::chrono_literals;

namespace {

// Without limits, which count what the tests send as a flood and remember who sent it.
Config unlimited() {
    Config config;
    config.max_connections = 0;
    config.new_connections = 0;
    config.half_open_connections = config.udp_packets = config.icmp_packets = 0;
    return config;
}

Config strict() {
    Config config = unlimited();
    config.pool6 = "fd00:77::/48";
    config.deny_networks = {"198.51.100.0/24", "2001:db8:dead::/48"};
    return config;
}

std::vector<std::uint8_t> bytes(const Mac& mac) {
    return {mac.begin(), mac.end()};
}

Evidence complete(Network& network, const Lease& lease) {
    // The kernel hands records over after some 50 ms.
    (void)soon(
            [&] {
                const Evidence now = network.evidence(lease, 0).value();
                return accounted(now) == refused(now);
            },
            3000ms);
    return network.evidence(lease, 0).value();
}

Range one(const std::string& address) {
    const Address parsed = parse_address(address).value();
    return {.first = parsed, .last = parsed};
}

}  // namespace

TEST_CASE("counters and the log say what was refused, each kind for its container") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(strict()).value();
    Guest a = make_guest(*network), b = make_guest(*network);
    REQUIRE(network->integrity().value().unlogged == "");

    send_packets(a.netns, b.lease.container_ip, 4001, 3);
    send_packets(a.netns, b.lease.container_ip, 0, 2);  // ICMP
    send_packets(a.netns, b.lease.container_ip6, 4001, 4);
    send_packets(a.netns, kDenied, 4002, 5);
    send_packets(a.netns, kDenied6, 4002, 2);
    send_packets(a.netns, kDenied6, 0, 1);
    send_packets(a.netns, kMetadata, 80, 6);
    send_packets(a.netns, a.lease.host_ip, 4003, 2);
    send_packets(a.netns, kHostAddress6, 4003, 3);
    send_packets(a.netns, kOutside, 4004, 7);  // allowed by default
    send_packets(b.netns, kMetadata, 80, 1);   // somebody else's
    const Address own = parse_address(a.lease.container_ip).value();

    const Evidence seen = complete(*network, a.lease);
    CHECK(packets_of(seen, "default: to another container") == 9);
    CHECK(packets_of(seen, "default: to a denied network") == 8);
    CHECK(packets_of(seen, "metadata addresses") == 6);
    CHECK(packets_of(seen, "to the host") == 5);
    CHECK(packets_of(seen, "default: to everywhere else") == 7);
    CHECK(packets_of(seen, "from outside, to no mapped port") == 0);
    CHECK(logged(seen, "container", b.lease.container_ip) == 5);
    CHECK(logged(seen, "container", b.lease.container_ip6) == 4);
    CHECK(logged(seen, "network", kDenied) == 5);
    CHECK(logged(seen, "network", kDenied6) == 3);
    CHECK(logged(seen, "metadata", kMetadata) == 6);
    CHECK(logged(seen, "host", a.lease.host_ip) == 2);
    CHECK(logged(seen, "host", kHostAddress6) == 3);
    CHECK(seen.suppressed == 0);
    CHECK(seen.lost == 0);
    CHECK(accounted(seen) == refused(seen));
    const auto entry = [&](std::string_view reason, std::string_view protocol) {
        const auto found = std::find_if(
                seen.connections.begin(), seen.connections.end(), [&](const Connection& c) {
                    return c.reason == reason && c.packet.protocol == protocol;
                });
        REQUIRE(found != seen.connections.end());
        return *found;
    };
    CHECK(entry("metadata", "udp").packet.destination_port == 80);
    CHECK(entry("metadata", "udp").packet.source == own);
    CHECK(entry("container", "icmp").packet.icmp_type == 8);
    CHECK(entry("network", "icmpv6").packet.icmp_type == 128);
    CHECK_FALSE(entry("network", "icmpv6").packet.source_port.has_value());

    const Evidence other = complete(*network, b.lease);
    CHECK(packets_of(other, "metadata addresses") == 1);
    CHECK(logged(other, "metadata", kMetadata) == 1);
    CHECK(network->integrity().value().refusals.at("metadata") == 7);
}

TEST_CASE("forged frames are counted and logged with the address they came from") {
    NEEDS(root, nft);
    World world;
    // Without IPv6, whose own first frames have no address yet and are refused as well.
    auto network = Network::start({}).value();
    Guest a = make_guest(*network), b = make_guest(*network);
    const Address own = parse_address(a.lease.container_ip).value();
    const auto gateway = bytes(gateway_mac(parse_address(a.lease.host_ip).value()));
    for (int i = 0; i < 4; ++i) {
        send_frame(
                a,
                udp_frame(bytes(container_mac(own)), gateway, b.lease.container_ip, kOutside, 9));
    }
    send_frame(a, udp_frame({2, 1, 2, 3, 4, 5}, gateway, a.lease.container_ip, kOutside, 9));
    const Evidence seen = complete(*network, a.lease);
    CHECK(packets_of(seen, kForgedRule) == 5);
    CHECK(refused(seen) == 5);
    CHECK(logged(seen, "forged", kOutside) == 5);
    REQUIRE(seen.connections.size() == 2);
    CHECK(seen.connections[0].count == 4);
    CHECK(to_string(seen.connections[0].packet.source.value()) == b.lease.container_ip);
    CHECK(seen.connections[1].source_mac == "02:01:02:03:04:05");
    CHECK(refused(complete(*network, b.lease)) == 0);
    CHECK(network->integrity().value().refusals.at("forged") == 5);
}

TEST_CASE("what comes from outside and is not mapped is refused, counted and logged") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({}).value();
    Guest guest = make_guest(*network);
    const Evidence before = network->evidence(guest.lease, 0).value();
    CHECK(packets_of(before, "from outside, to no mapped port") == 0);
    const auto source = std::vector<std::uint8_t>{2, 0, 0, 0, 0, 2};
    const auto host = std::vector<std::uint8_t>{2, 0, 0, 0, 0, 1};
    const Guest outside{
            .lease = {.container_interface = "out0"},
            .netns = base::Fd(::fcntl(world.outside().get(), F_DUPFD_CLOEXEC, 0))};
    for (int i = 0; i < 3; ++i)
        send_frame(outside, udp_frame(source, host, kOutside, guest.lease.container_ip, 4005));
    const Evidence seen = complete(*network, guest.lease);
    CHECK(packets_of(seen, "from outside, to no mapped port") == 3);
    REQUIRE(seen.connections.size() == 1);
    CHECK(seen.connections[0].inbound);
    CHECK(seen.connections[0].count == 3);
    CHECK(seen.connections[0].packet.destination_port == 4005);
}

TEST_CASE("a flood is counted whole, logged within the budget, and hides nobody else's refusals") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(unlimited()).value();
    Guest loud = make_guest(*network), quiet = make_guest(*network);
    const auto begin = std::chrono::steady_clock::now();
    send_packets(loud.netns, kMetadata, 80, 2000);
    send_packets(quiet.netns, kMetadata, 80, 2);
    const Evidence seen = complete(*network, loud.lease);
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(packets_of(seen, "metadata addresses") == 2000);
    const auto in_log = logged(seen, "metadata", kMetadata);
    CHECK(in_log >= 50);
    CHECK(in_log <= 60 + static_cast<std::uint64_t>(took / 100ms));
    CHECK(seen.suppressed + in_log == 2000);
    CHECK(seen.connections.size() == 1);
    CHECK(logged(complete(*network, quiet.lease), "metadata", kMetadata) == 2);
}

TEST_CASE("rules of a security group count, and those with a log say what they let out") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(strict()).value();
    Guest guest = make_guest(*network);
    const OutRule rule{
            .protocol = OutProtocol::udp,
            .networks = {one(kDenied)},
            .ports = {{.first = 4000, .last = 4009}},
            .log = true};
    const OutRule everywhere{.protocol = OutProtocol::icmp, .log = true};
    network->allow(guest.lease, std::array{rule, everywhere}).value();
    send_packets(guest.netns, kDenied, 4002, 1);
    send_packets(guest.netns, kDenied, 4010, 2);
    send_packets(guest.netns, kDenied, 0, 1);
    const std::string text = base::format("udp to {} port 4000-4009 log", kDenied);
    REQUIRE(soon(
            [&] {
                return logged(network->evidence(guest.lease, 0).value(), "allowed", kDenied) == 2;
            },
            3000ms));
    const Evidence seen = complete(*network, guest.lease);
    CHECK(packets_of(seen, text) == 1);
    CHECK(packets_of(seen, "icmp to anywhere log") == 1);
    CHECK(logged(seen, "network", kDenied) == 2);
    const Evidence later = network->evidence(guest.lease, seen.connections.back().sequence).value();
    CHECK(later.connections.empty());
    end_guest(*network, std::move(guest));
    CHECK(nft("list table inet cloche").find("10.254.0.2") == std::string::npos);
}

TEST_CASE("counters outlive the daemon, and two daemons do not read each other's log") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({.tag = "a"}).value();
    auto stranger = Network::start({.pool = "10.253.0.0/24", .tag = "b"}).value();
    CHECK(network->integrity().value().log_group != stranger->integrity().value().log_group);
    Guest guest = make_guest(*network);
    send_packets(guest.netns, kMetadata, 80, 3);
    CHECK(logged(complete(*network, guest.lease), "metadata", kMetadata) == 3);
    network.reset();
    send_packets(guest.netns, kMetadata, 80, 2);
    network = Network::start({.tag = "a"}).value();
    network->adopt(guest.lease).value();
    network->settle().value();
    CHECK(network->integrity().value().repairs == 0);
    const Evidence seen = network->evidence(guest.lease, 0).value();
    CHECK(packets_of(seen, "metadata addresses") == 5);
    CHECK(seen.connections.empty());
    CHECK(stranger->integrity().value().repairs == 0);
}
