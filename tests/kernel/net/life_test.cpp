// What exists when: parallel connects, restarts, killed runs, failures, removal.
#include "base/sys/file.hpp"
#include "garden/net/names.hpp"
#include "tests/kernel/net/world.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

using namespace garden::net;
using namespace test;

namespace {

std::unique_ptr<Network> start(Config config = {}) {
    return Network::start(std::move(config)).value();
}

// Interfaces whose namespace was closed go a moment later.
bool interfaces_go() {
    for (int tries = 0; tries < 500 && !interfaces().empty(); ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return interfaces().empty();
}

}  // namespace

TEST_CASE("fifty containers connect at once, each with its own address, and leave nothing") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    constexpr std::size_t kGuests = 50;
    std::vector<Guest> guests(kGuests);
    std::vector<std::string> failures(kGuests);
    for (Guest& guest : guests) guest.netns = new_network_namespace();
    const auto in_parallel = [&](auto work) {
        std::vector<std::thread> threads;
        for (std::size_t t = 0; t < 10; ++t) {
            threads.emplace_back([&, t] {
                for (std::size_t i = t; i < kGuests; i += 10) {
                    if (auto done = work(guests[i]); !done) failures[i] = done.error().text;
                }
            });
        }
        for (auto& thread : threads) thread.join();
    };
    in_parallel([&](Guest& guest) -> base::Result<void> {
        guest.lease = TRY(network->lease(""));
        return network->connect(guest.lease, guest.netns);
    });
    for (const auto& failure : failures) CHECK(failure == "");
    std::set<std::string> addresses;
    const Listener server = listen_in(world.outside());
    for (const Guest& guest : guests) {
        addresses.insert(guest.lease.container_ip);
        CHECK(connect_from(guest.netns, kOutside, server.port) == 0);
        const std::string conf = "/proc/sys/net/ipv6/conf/";
        CHECK(read_in(guest.netns, conf + "all/disable_ipv6").starts_with("1"));
        CHECK(read_in(guest.netns, conf + guest.lease.container_interface + "/disable_ipv6")
                      .starts_with("1"));  // NET-08
    }
    CHECK(addresses.size() == kGuests);
    CHECK(network->present()->size() == kGuests);
    CHECK(network->free_subnets() == network->capacity() - kGuests);
    in_parallel([&](Guest& guest) -> base::Result<void> {
        TRY(network->disconnect(guest.lease, false));
        network->release(guest.lease);
        guest.netns.reset();
        return base::ok;
    });
    for (const auto& failure : failures) CHECK(failure == "");
    CHECK(interfaces_go());
    CHECK(network->present()->empty());
    CHECK(network->free_subnets() == network->capacity());
}

TEST_CASE("a restart keeps connections and hands out no address twice") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest guest = make_guest(*network);
    const Listener server = listen_in(world.outside());
    const std::string before = nft("list chain inet cloche " + egress_chain(guest.lease.id));
    network.reset();
    CHECK(connect_from(guest.netns, kOutside, server.port) == 0);  // no daemon, still a network
    network = start();
    network->adopt(guest.lease).value();
    CHECK(connect_from(guest.netns, kOutside, server.port) == 0);
    CHECK(nft("list chain inet cloche " + egress_chain(guest.lease.id)) == before);
    const Lease next = network->lease("").value();
    CHECK(next.container_ip != guest.lease.container_ip);
    CHECK(next.id != guest.lease.id);
    end_guest(*network, std::move(guest));
}

TEST_CASE("what a killed run left is found and swept") {
    NEEDS(root, nft);
    World world;
    std::vector<Guest> guests;
    {
        auto network = start({.pool6 = "fd00:77::/48"});
        guests.push_back(make_guest(*network));
        guests.push_back(make_guest(*network, "10.2.0.0/24"));
    }
    auto network = start({.pool6 = "fd00:77::/48"});
    guests[0].netns.reset();  // this container died with the run; the other one still lives
    auto present = network->present().value();
    std::vector<std::string> expected = {guests[0].lease.id, guests[1].lease.id};
    std::sort(expected.begin(), expected.end());
    CHECK(present == expected);
    for (const std::string& id : present) CHECK(network->sweep(id));
    for (const std::string& id : present) CHECK(network->sweep(id));  // twice is once
    CHECK(network->present()->empty());
    CHECK(interfaces().empty());
    CHECK(!network->sweep("../etc"));
}

TEST_CASE("disconnect succeeds twice and after the namespace has gone") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    Guest guest = make_guest(*network);
    CHECK(network->disconnect(guest.lease, false));
    CHECK(network->disconnect(guest.lease, false));
    const Listener server = listen_in(world.outside());
    CHECK(connect_from(guest.netns, kOutside, server.port, 300) != 0);  // no rules: nothing passes
    guest.netns.reset();
    CHECK(network->disconnect(guest.lease, true));
    CHECK(network->disconnect(guest.lease, true));
    CHECK(interfaces().empty());
    network->release(guest.lease);
    network->release(guest.lease);
    CHECK(network->free_subnets() == network->capacity());
}

TEST_CASE("a failed connect leaves nothing") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    const Lease lease = network->lease("").value();
    const base::Fd wrong = base::sys::open_host("/dev/null", O_RDONLY).value();
    CHECK(!network->connect(lease, wrong));
    CHECK(network->present()->empty());
    // The second step fails: the address is bound already.
    const base::Fd one = new_network_namespace(), two = new_network_namespace();
    REQUIRE(network->connect(lease, one));
    Lease twin = lease;
    twin.id = lease_id(12345);
    CHECK(!network->connect(twin, two));
    CHECK(network->present().value() == std::vector<std::string>{lease.id});
}

TEST_CASE("a requested subnet may not take a network of the host") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    auto refused = network->lease("192.0.2.0/24");
    REQUIRE(!refused);
    CHECK(refused.error().text ==
          "the requested subnet (192.0.2.0/24) overlaps a network of the host (192.0.2.0/24)");
    Guest guest = make_guest(*network, "10.2.0.0/24");
    CHECK(network->lease("10.2.0.0/24"));  // our own bridge is no obstacle
}

TEST_CASE("tags keep two daemons apart and tear_down removes only its own") {
    NEEDS(root, nft);
    World world;
    auto first = start({.pool = "10.254.0.0/24", .tag = "a"}),
         second = start({.pool = "10.254.1.0/24", .tag = "bc"});
    Guest one = make_guest(*first), two = make_guest(*second);
    Guest three = make_guest(*second, "10.9.0.0/29");
    const Listener server = listen_in(world.outside());
    CHECK(connect_from(one.netns, kOutside, server.port) == 0);
    CHECK(connect_from(two.netns, kOutside, server.port) == 0);
    CHECK(connect_from(three.netns, kOutside, server.port) == 0);
    CHECK(second->present()->size() == 2);
    CHECK(second->tear_down());
    CHECK(second->tear_down());
    CHECK(second->present()->empty());
    CHECK(interfaces() == std::vector<std::string>{one.lease.host_interface});
    CHECK(nft("list tables") == "table inet cloche_a\ntable netdev cloche_a\n");
    CHECK(connect_from(one.netns, kOutside, server.port) == 0);
    CHECK(first->tear_down());
    CHECK(interfaces().empty());
    CHECK(nft("list tables") == "");
}

TEST_CASE("settings out of range are refused by name") {
    NEEDS(root, nft);
    World world;
    const auto refusal = [](Config config) {
        auto started = Network::start(std::move(config));
        return started ? std::string("started") : started.error().text;
    };
    CHECK(refusal({.tag = "abc"}).find("tag 'abc'") != std::string::npos);
    CHECK(refusal({.tag = "A"}).find("tag 'A'") != std::string::npos);
    CHECK(refusal({.deny_networks = {"x"}}) == "deny network: invalid CIDR address: x");
    CHECK(refusal({.mtu = 9000}) == "mtu 9000: from 576 to 1500, or 0");
    CHECK(refusal({.dns_servers = {"dns.example"}}) ==
          "DNS server: invalid IP address: dns.example");
    CHECK(refusal({.pool = "10.0.0.0/31"}).find("network pool 10.0.0.0/31") != std::string::npos);
    CHECK(nft("list tables") == "");
}

// Not a test of time: prints what connect and disconnect cost (run with the tag; see tests/bench).
TEST_CASE("the latency of connect", "[.latency]") {
    NEEDS(root, nft);
    World world;
    auto network = start();
    std::vector<double> connects, disconnects;
    for (int i = 0; i < 100; ++i) {
        const auto now = [] { return std::chrono::steady_clock::now(); };
        const auto us = [](auto a, auto b) {
            return std::chrono::duration<double, std::micro>(b - a).count();
        };
        base::Fd netns = new_network_namespace();
        const Lease lease = network->lease("").value();
        const auto a = now();
        network->connect(lease, netns).value();
        const auto b = now();
        network->disconnect(lease, false).value();
        const auto c = now();
        network->release(lease);
        connects.push_back(us(a, b));
        disconnects.push_back(us(b, c));
    }
    std::sort(connects.begin(), connects.end());
    std::sort(disconnects.begin(), disconnects.end());
    std::printf(
            "connect p50 %.0f us p99 %.0f us, disconnect p50 %.0f us p99 %.0f us\n", connects[50],
            connects[98], disconnects[50], disconnects[98]);
    CHECK(interfaces_go());
}
