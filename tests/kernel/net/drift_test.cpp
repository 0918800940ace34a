// NET-15: rules that somebody else changes come back.
#include "garden/net/names.hpp"
#include "garden/net/shaping.hpp"
#include "tests/kernel/net/evidence.hpp"
#include "tests/kernel/net/traffic.hpp"
#include "tests/support/needs.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using namespace garden::net;
using namespace test;
using namespace std::chrono_literals;

namespace {

OutRule to(const std::string& address, std::uint16_t port) {
    const Address parsed = parse_address(address).value();
    return {.protocol = OutProtocol::tcp,
            .networks = {{.first = parsed, .last = parsed}},
            .ports = {{.first = port, .last = port}}};
}

bool repaired(Network& network, std::uint64_t repairs) {
    return soon([&] { return network.integrity().value().repairs >= repairs; }, 1000ms);
}

}  // namespace

TEST_CASE("a flushed rule set is back within a second, host policy and security groups") {
    NEEDS(root, nft);
    World world;
    std::atomic<int> told{0};
    // Without limits: connections that are counted are in the list.
    Config config{.deny_networks = {"198.51.100.0/24"}, .max_connections = 0, .new_connections = 0};
    config.on_repair = [&](const std::string&) { ++told; };
    auto network = Network::start(config).value();
    const Listener open = listen_in(world.outside()), other = listen_in(world.outside());
    Guest guest = make_guest(*network), neighbour = make_guest(*network);
    const Listener inside = listen_in(neighbour.netns);
    network->allow(guest.lease, std::array{to(kDenied, open.port)}).value();
    const auto as_it_should_be = [&] {
        CHECK(connect_from(guest.netns, kDenied, open.port) == 0);
        CHECK(connect_from(guest.netns, kDenied, other.port) == ECONNREFUSED);
        CHECK(connect_from(neighbour.netns, kDenied, open.port) == ECONNREFUSED);
        CHECK(connect_from(guest.netns, kMetadata, open.port) == EHOSTUNREACH);
        CHECK(connect_from(guest.netns, neighbour.lease.container_ip, inside.port) != 0);
        CHECK(connect_from(guest.netns, kOutside, open.port) == 0);
    };
    as_it_should_be();
    const std::string before = ruleset();
    CHECK(nft("flush ruleset") == "");
    REQUIRE(repaired(*network, 1));
    CHECK(ruleset() == before);
    as_it_should_be();
    const Integrity state = network->integrity().value();
    CHECK(state.repairs == 1);
    CHECK(state.last_reason.find("the table was deleted by nft") != std::string::npos);
    CHECK(state.unrepaired == "");
    CHECK(soon([&] { return told == 1; }, 1000ms));
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(neighbour));
    CHECK(network->integrity().value().repairs == 1);
}

TEST_CASE("a repair loses no mapped port, no limit of connections and no limit of bandwidth") {
    NEEDS(root, nft);
    World world;
    Config config{.max_connections = 10, .new_connections = 50, .new_connections_burst = 60};
    auto network = Network::start(config).value();
    Guest guest = make_guest(*network), other = make_guest(*network);
    const Listener web = listen_in(guest.netns, 8080);
    guest.lease.ports.push_back(network->reserve_port(guest.lease, 9000, 8080).value());
    network->map_ports(guest.lease).value();
    guest.lease.shaping = make_shaping(1'000'000, 20'000).value();
    network->shape(guest.lease, guest.netns).value();
    const Listener server = listen_in(world.outside());
    const TcpFlow before_repair = open_tcp(guest.netns, kOutside, server.port, server);
    REQUIRE(connect_from(world.outside(), kHostAddress, 9000) == 0);
    const std::string ports = nft("list map inet cloche ports4");
    const std::string limits = nft("-s list chain inet cloche ceilings");
    const std::string ingress = nft("-s list chain netdev cloche " + ingress_chain(guest.lease.id));
    REQUIRE(ports.find("9000") != std::string::npos);
    CAPTURE(limits);
    REQUIRE(limits.find("ct count over 10") != std::string::npos);
    REQUIRE(limits.find("rate over 50/second") != std::string::npos);
    REQUIRE(ingress.find("limit rate over") != std::string::npos);
    REQUIRE(network->settle());  // counting connections is no change by others
    CHECK(network->integrity().value().repairs == 0);

    CHECK(nft("flush ruleset") == "");
    REQUIRE(repaired(*network, 1));
    CHECK(nft("list map inet cloche ports4") == ports);
    CHECK(nft("-s list chain inet cloche ceilings") == limits);
    CHECK(nft("-s list chain netdev cloche " + ingress_chain(guest.lease.id)) == ingress);
    CHECK(connect_from(world.outside(), kHostAddress, 9000) == 0);
    CHECK(connect_from(other.netns, kHostAddress, 9000) == 0);
    CHECK(before_repair.carries());
    // A single mapping that somebody deletes.
    CHECK(nft("delete element inet cloche ports4 '{ tcp . 9000 }'") == "");
    REQUIRE(repaired(*network, 2));
    CHECK(connect_from(world.outside(), kHostAddress, 9000) == 0);
    CHECK(network->integrity().value().unrepaired == "");
    end_guest(*network, std::move(guest));
    end_guest(*network, std::move(other));
}

TEST_CASE("single rules, elements and chains that others delete or add are put right") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({.pool6 = "fd00:77::/48"}).value();
    Guest guest = make_guest(*network);
    const std::string chain = "cloche " + egress_chain(guest.lease.id);
    const std::string before = ruleset();
    std::uint64_t repairs = 0;
    const std::vector<std::string> changes = {
            "flush chain inet " + chain,
            "add rule inet " + chain + " accept",
            "insert rule inet cloche from_container accept",
            "delete element inet cloche egress4 '{ " + guest.lease.container_ip + " }'",
            "delete element inet cloche metadata4 '{ 169.254.0.0/16 }'",
            "add chain inet cloche mine",
            "flush chain netdev cloche spoof",
            "delete table netdev cloche"};
    for (const std::string& change : changes) {
        INFO(change);
        CHECK(nft(change) == "");
        CHECK(repaired(*network, ++repairs));
        CHECK(ruleset() == before);
    }
    CHECK(nft("add table inet foreign") == "");  // nobody's business
    CHECK(nft("flush chain inet " + chain) == "");
    CHECK(repaired(*network, ++repairs));
    CHECK(network->integrity().value().repairs == repairs);
    end_guest(*network, std::move(guest));
}

TEST_CASE("what was changed while no daemon ran is put right when one starts") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({}).value();
    const Listener server = listen_in(world.outside());
    Guest guest = make_guest(*network), dead = make_guest(*network);
    const OutRule rule = to("203.0.113.9", 1);
    network->allow(guest.lease, std::array{rule}).value();
    const auto restart = [&] {
        network = Network::start({}).value();
        network->adopt(guest.lease).value();
        network->remember(guest.lease, std::array{rule}).value();
        network->adopt(dead.lease).value();
    };
    network.reset();
    dead.netns.reset();  // its interface goes with it
    REQUIRE(soon([] { return interfaces().size() == 1; }, 5000ms));
    restart();
    network->settle().value();
    CHECK(network->integrity().value().repairs == 0);
    const std::string before = nft("-s list chain inet cloche " + egress_chain(guest.lease.id));
    network.reset();
    CHECK(nft("flush ruleset") == "");
    restart();
    network->settle().value();
    CHECK(network->integrity().value().repairs == 1);
    CHECK(nft("-s list chain inet cloche " + egress_chain(guest.lease.id)) == before);
    CHECK(connect_from(guest.netns, kOutside, server.port) == 0);
    CHECK(connect_from(guest.netns, kMetadata, server.port) == EHOSTUNREACH);
    end_guest(*network, std::move(dead));
    end_guest(*network, std::move(guest));
    CHECK(soon([&] { return network->present().value().empty(); }, 5000ms));  // links go later
}

TEST_CASE("containers come and go while somebody flushes the rules") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start({.deny_networks = {"198.51.100.0/24"},
                                   .max_connections = 0,  // what they count outlives a container
                                   .new_connections = 0})
                           .value();
    const Listener server = listen_in(world.outside());
    std::atomic<bool> over{false};
    std::thread vandal([&] {
        while (!over) {
            nft("flush ruleset");
            std::this_thread::yield();
        }
    });
    std::vector<Guest> kept;
    for (int i = 0; i < 12; ++i) {
        Guest guest = make_guest(*network);
        network->allow(guest.lease, std::array{to(kDenied, server.port)}).value();
        if (i % 3 != 0) {
            kept.push_back(std::move(guest));
        } else {
            end_guest(*network, std::move(guest));
        }
    }
    over = true;
    vandal.join();
    // The last flush is put right as well.
    const auto whole = [&] {
        network->settle().value();
        return nft("list table inet cloche").find("deny4") != std::string::npos;
    };
    CHECK(soon(whole, 1000ms));
    const auto repairs = network->integrity().value().repairs;
    CHECK(repairs > 0);
    for (const Guest& guest : kept) {
        CHECK(connect_from(guest.netns, kDenied, server.port) == 0);
        CHECK(connect_from(guest.netns, kMetadata, server.port) == EHOSTUNREACH);
    }
    std::vector<Lease> leases;
    for (const Guest& guest : kept) {
        network->disconnect(guest.lease, false).value();
        leases.push_back(guest.lease);
    }
    kept.clear();
    CHECK(soon([&] { return network->present().value().empty(); }, 5000ms));  // links go later
    // Only then, as the engine does: a connection that is still closing keeps its namespace, and
    // never ends when the kernel has forgotten its flow.
    for (const Lease& lease : leases) network->release(lease);
    CHECK(nft("list table inet cloche").find("elements = { 10.254") == std::string::npos);
}
