// Security groups (NET-06): what rules open, and only that.
#include "garden/net/names.hpp"
#include "tests/kernel/net/world.hpp"
#include "tests/support/needs.hpp"

#include <array>
#include <cerrno>
#include <vector>

#include <catch2/catch.hpp>

using namespace garden::net;
using namespace test;

namespace {

Config denying() {
    Config config;
    config.deny_networks = {"198.51.100.0/24"};
    return config;
}

Range one(const char* address) {
    const Address parsed = parse_address(address).value();
    return {.first = parsed, .last = parsed};
}

Range span(const char* first, const char* last) {
    return {.first = parse_address(first).value(), .last = parse_address(last).value()};
}

}  // namespace

TEST_CASE("a rule opens its network and ports in a denied one, for its container alone") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(denying()).value();
    const Listener server = listen_in(world.outside());
    const Listener other_port = listen_in(world.outside());
    Guest guest = make_guest(*network);
    Guest neighbour = make_guest(*network);
    REQUIRE(connect_from(guest.netns, kDenied, server.port) == ECONNREFUSED);

    const OutRule udp{.protocol = OutProtocol::udp, .networks = {one(kDenied)}};
    network->allow(guest.lease, std::array{udp}).value();
    CHECK(connect_from(guest.netns, kDenied, server.port) == ECONNREFUSED);

    const OutRule elsewhere{
            .protocol = OutProtocol::tcp, .networks = {span("198.51.100.8", "198.51.100.200")}};
    network->allow(guest.lease, std::array{elsewhere}).value();
    CHECK(connect_from(guest.netns, kDenied, server.port) == ECONNREFUSED);

    const OutRule tcp{
            .protocol = OutProtocol::tcp,
            .networks = {one("203.0.113.1"), span("198.51.100.3", "198.51.100.9")},
            .ports = {{.first = 1, .last = 1}, {.first = server.port, .last = server.port}}};
    network->allow(guest.lease, std::array{tcp}).value();
    CHECK(connect_from(guest.netns, kDenied, server.port) == 0);
    CHECK(connect_from(guest.netns, kDenied, other_port.port) == ECONNREFUSED);
    CHECK(connect_from(neighbour.netns, kDenied, server.port) == ECONNREFUSED);

    network->allow(guest.lease, std::array{OutRule{}}).value();  // everything
    CHECK(connect_from(guest.netns, kDenied, other_port.port) == 0);
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(neighbour));
}

TEST_CASE("NET-05: no rule opens the metadata service, and none the host") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({}).value();
    const Listener metadata = listen_in(world.outside());
    const Listener host = listen_in(world.host());
    Guest guest = make_guest(*network);
    network->allow(guest.lease, std::array{OutRule{}}).value();
    CHECK(connect_from(guest.netns, kMetadata, metadata.port) != 0);
    CHECK(connect_from(guest.netns, guest.lease.host_ip, host.port) != 0);
    end_guest(*network, std::move(guest));
}

TEST_CASE("a rule lets a container reach another one") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({}).value();
    Guest from = make_guest(*network);
    Guest to = make_guest(*network);
    const Listener server = listen_in(to.netns);
    REQUIRE(connect_from(from.netns, to.lease.container_ip, server.port) != 0);
    const OutRule rule{
            .protocol = OutProtocol::tcp, .networks = {one(to.lease.container_ip.c_str())}};
    network->allow(from.lease, std::array{rule}).value();
    CHECK(connect_from(from.netns, to.lease.container_ip, server.port) == 0);
    const Listener back = listen_in(from.netns);
    CHECK(connect_from(to.netns, from.lease.container_ip, back.port) != 0);
    end_guest(*network, std::move(from));
    end_guest(*network, std::move(to));
}

TEST_CASE("NET-08: rules of IPv6 open what they say, rules of IPv4 do not") {
    NEEDS(root, nft);
    World world;
    Config config = denying();
    config.pool6 = "fd00:10::/48";
    config.deny_networks.emplace_back("2001:db8:dead::/48");
    auto network = Network::start(config).value();
    const Listener server = listen_in(world.outside());
    Guest guest = make_guest(*network);
    REQUIRE(connect_from(guest.netns, kDenied6, server.port) != 0);
    const OutRule v4{
            .protocol = OutProtocol::tcp, .networks = {span("0.0.0.0", "255.255.255.255")}};
    network->allow(guest.lease, std::array{v4}).value();
    CHECK(connect_from(guest.netns, kDenied6, server.port) != 0);
    const OutRule v6{
            .protocol = OutProtocol::tcp,
            .networks = {span("2001:db8:dead::1", "2001:db8:dead::ffff")},
            .ports = {{.first = server.port, .last = server.port}}};
    network->allow(guest.lease, std::array{v6}).value();
    CHECK(connect_from(guest.netns, kDenied6, server.port) == 0);
    end_guest(*network, std::move(guest));
}

TEST_CASE("three thousand rules are one transaction, and too many are refused whole") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(denying()).value();
    const Listener server = listen_in(world.outside());
    Guest guest = make_guest(*network);
    std::vector<OutRule> rules;
    for (std::uint32_t i = 0; i < 3000; ++i) {
        const Address address = plus(parse_address("203.0.0.0").value(), i);
        rules.push_back(
                {.protocol = OutProtocol::icmp,
                 .networks = {{.first = address, .last = address}},
                 .icmp = IcmpMatch{.type = 8, .code = 0},
                 .log = i % 10 == 0});
    }
    rules.push_back({.protocol = OutProtocol::tcp, .networks = {one(kDenied)}});
    network->allow(guest.lease, rules).value();
    CHECK(connect_from(guest.netns, kDenied, server.port) == 0);

    std::vector<OutRule> many(kMaxCompiledRules + 1);
    const auto refused = network->allow(guest.lease, many);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == base::Errc::invalid);
    CHECK(refused.error().text.find("at most 16384") != std::string::npos);
    end_guest(*network, std::move(guest));
}
