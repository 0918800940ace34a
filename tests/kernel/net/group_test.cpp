// Security groups as elements of sets: they decide, count and log as the rules they stand for.
#include "garden/net/group.hpp"

#include "garden/net/names.hpp"
#include "tests/kernel/net/evidence.hpp"
#include "tests/kernel/net/traffic.hpp"
#include "tests/support/needs.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace garden::net;
using namespace test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t kPorts = 6;
constexpr unsigned kHosts = 6;

// Every flow is counted where its rule is, or where everything else is refused.
Config closed() {
    Config config;
    config.egress_deny = true;
    config.pool6 = "fd00:77::/48";
    config.max_connections = config.new_connections = 0;
    return config;
}

Address target(bool v6, unsigned host) {
    return plus(parse_address(v6 ? "2001:db8:1::" : "203.0.113.0").value(), host);
}

OutRule random_rule(std::mt19937& random) {
    const auto below = [&](unsigned bound) { return static_cast<unsigned>(random() % bound); };
    const auto pair = [&](unsigned bound) {
        const unsigned a = below(bound), b = below(bound);
        return std::pair(std::min(a, b), std::max(a, b));
    };
    OutRule rule;
    const bool v6 = below(3) == 0;
    constexpr std::array kKinds{
            OutProtocol::all, OutProtocol::udp, OutProtocol::udp, OutProtocol::icmp,
            OutProtocol::tcp};
    rule.protocol = kKinds.at(below(kKinds.size()));
    if (rule.protocol == OutProtocol::icmp && v6) rule.protocol = OutProtocol::icmpv6;
    if (below(5) != 0) {
        const auto [first, last] = pair(kHosts);
        rule.networks = {{.first = target(v6, first), .last = target(v6, last)}};
    }
    if (rule.protocol == OutProtocol::udp && below(4) != 0) {
        const auto [first, last] = pair(kPorts);
        rule.ports = {
                {.first = static_cast<std::uint16_t>(first + 1),
                 .last = static_cast<std::uint16_t>(last + 1)}};
    }
    if (rule.protocol == OutProtocol::icmp && below(2) == 0)
        rule.icmp = IcmpMatch{
                .type = below(3) == 0 ? std::nullopt : std::optional<std::uint8_t>(8),
                .code = below(2) == 0 ? std::nullopt : std::optional<std::uint8_t>(0)};
    rule.log = below(4) == 0;
    return rule;
}

// A packet of each kind to each place, and which rule is to count it: the last one given that
// allows it.
std::map<std::string, std::uint64_t> send_everything(
        const Guest& guest, const std::vector<OutRule>& rules) {
    std::map<std::string, std::uint64_t> expected;
    for (const bool v6 : {false, true}) {
        for (unsigned host = 0; host < kHosts; ++host) {
            for (std::uint16_t port = 0; port <= kPorts; ++port) {  // 0: an echo request
                Call call{.address = target(v6, host), .port = port};
                constexpr std::uint8_t kEcho[] = {IPPROTO_ICMP, IPPROTO_ICMPV6};
                call.protocol = port != 0 ? std::uint8_t{IPPROTO_UDP} : kEcho[v6 ? 1 : 0];
                if (port == 0) call.icmp_type = v6 ? 128 : 8;
                const auto rule = std::find_if(
                        rules.rbegin(), rules.rend(),
                        [&](const OutRule& one) { return allows(one, call); });
                const auto text =
                        rule == rules.rend()
                                ? std::string("default: to a denied network")
                                : text_of(compile(std::span(&*rule, 1), true).allowances.at(0));
                ++expected[text];
                send_packets(guest.netns, to_string(call.address), port, 1);
            }
        }
    }
    return expected;
}

std::map<std::string, std::uint64_t> counted(Network& network, const Lease& lease) {
    std::map<std::string, std::uint64_t> all;
    const Evidence seen = network.evidence(lease, 0).value();
    for (const RuleCount& row : seen.rules) {
        // Not what the kernel of the container says by itself, to its neighbours by IPv6.
        const bool sent = row.allows || row.rule == "default: to a denied network";
        if (sent && row.packets != 0) all[row.rule] += row.packets;
    }
    return all;
}

// For people who read a failure.
std::string text(const std::map<std::string, std::uint64_t>& counts) {
    std::string all;
    for (const auto& [rule, packets] : counts) all += std::to_string(packets) + " " + rule + "\n";
    return all;
}

std::map<std::string, std::uint64_t> grown(
        const std::map<std::string, std::uint64_t>& before,
        std::map<std::string, std::uint64_t> after) {
    for (const auto& [rule, packets] : before) {
        const auto found = after.find(rule);
        if (found == after.end()) continue;  // its rule has gone
        found->second -= std::min(found->second, packets);
        if (found->second == 0) after.erase(found);
    }
    return after;
}

OutRule udp_to(const char* address, std::uint16_t first, std::uint16_t last) {
    const Address parsed = parse_address(address).value();
    return {.protocol = OutProtocol::udp,
            .networks = {{.first = parsed, .last = parsed}},
            .ports = {{.first = first, .last = last}}};
}

}  // namespace

TEST_CASE("NET-06: random groups decide and count in both families as the rules they stand for") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(closed()).value();
    Guest guest = make_guest(*network);
    std::mt19937 random(20261125);  // the same every time
    for (int round = 0; round < 24; ++round) {
        INFO("round " << round);
        std::vector<OutRule> rules;
        for (int i = 0; i < 3 + round / 2; ++i) rules.push_back(random_rule(random));
        // Some at once and some more one by one, behind whatever the last round left.
        const auto first = static_cast<std::size_t>(round) / 3 + 1;
        network->replace(guest.lease, std::span(rules).first(first)).value();
        for (std::size_t i = first; i < rules.size(); ++i)
            network->allow(guest.lease, std::span(rules).subspan(i, 1)).value();
        const auto before = counted(*network, guest.lease);
        const auto expected = send_everything(guest, rules);
        CHECK(text(grown(before, counted(*network, guest.lease))) == text(expected));
        network->settle().value();  // what is there is what is wanted
        CHECK(network->integrity().value().repairs == 0);
    }
    end_guest(*network, std::move(guest));
    CHECK(nft("list table inet cloche").find("set a4-") == std::string::npos);
    CHECK(nft("list table inet cloche").find("set l4-") == std::string::npos);
}

TEST_CASE("NET-07: counters of rules that stay go on when others come and go") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(closed()).value();
    Guest guest = make_guest(*network);
    const OutRule stays = udp_to(kOutside, 4000, 4009);
    network->allow(guest.lease, std::array{stays}).value();
    send_packets(guest.netns, kOutside, 4001, 3);
    const auto count = [&] {
        return packets_of(
                network->evidence(guest.lease, 0).value(),
                "udp to " + std::string(kOutside) + " port 4000-4009");
    };
    REQUIRE(count() == 3);
    network->allow(guest.lease, std::array{udp_to(kOutside, 4001, 4001)}).value();  // over it
    send_packets(guest.netns, kOutside, 4001, 1);
    send_packets(guest.netns, kOutside, 4002, 1);
    CHECK(count() == 4);
    network->replace(guest.lease, std::array{stays, udp_to(kDenied, 1, 1)}).value();
    send_packets(guest.netns, kOutside, 4001, 1);
    CHECK(count() == 5);
    end_guest(*network, std::move(guest));
}

TEST_CASE("NET-15: elements and logs and layers of a group come back after a flush and a restart") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(closed()).value();
    Guest guest = make_guest(*network);
    OutRule told = udp_to(kOutside, 4001, 4001);
    told.log = true;
    const OutRule code{.protocol = OutProtocol::icmp, .icmp = IcmpMatch{.type = {}, .code = 3}};
    const std::array rules{udp_to(kOutside, 4000, 4009), told, code};
    network->allow(guest.lease, rules).value();
    const std::string before = ruleset();
    const std::string set = allowed_set(guest.lease.id, false, 2);
    REQUIRE(before.find("set " + set) != std::string::npos);
    REQUIRE(before.find("set " + logged_set(guest.lease.id, false, 2)) != std::string::npos);
    std::uint64_t repairs = 0;
    for (const std::string& change :
         {std::string("flush ruleset"), "flush set inet cloche " + set,
          "delete element inet cloche " + set + " '{ 192.0.2.2 . udp . 4001 }'"}) {
        INFO(change);
        CHECK(nft(change) == "");
        ++repairs;
        CHECK(soon([&] { return network->integrity().value().repairs == repairs; }, 1000ms));
        CHECK(ruleset() == before);
    }
    network.reset();
    network = Network::start(closed()).value();
    network->adopt(guest.lease).value();
    network->remember(guest.lease, rules).value();
    network->settle().value();
    CHECK(network->integrity().value().repairs == 0);
    CHECK(ruleset() == before);
    send_packets(guest.netns, kOutside, 4001, 1);
    CHECK(soon(
            [&] {
                return logged(network->evidence(guest.lease, 0).value(), "allowed", kOutside) == 1;
            },
            3000ms));
    network.reset();
    network = Network::start(closed()).value();  // knows nothing of it
    CHECK(network->present().value() == std::vector{guest.lease.id});
    guest.netns.reset();
    network->sweep(guest.lease.id).value();
    CHECK(nft("list table inet cloche").find(guest.lease.id) == std::string::npos);
}

TEST_CASE("a flow that a killed run left with a rule that has gone ends after the restart") {
    NEEDS(root, nft);
    World world;
    auto network = Network::start(closed()).value();
    const Listener server = listen_in(world.outside());
    Guest guest = make_guest(*network);
    const Address outside = parse_address(kOutside).value();
    const OutRule rule{.networks = {{.first = outside, .last = outside}}};
    network->allow(guest.lease, std::array{rule}).value();
    const TcpFlow flow = open_tcp(guest.netns, kOutside, server.port, server);
    REQUIRE(flow.carries());
    network.reset();
    network = Network::start(closed()).value();
    network->adopt(guest.lease).value();  // the record says that it has no rules
    network->settle().value();
    CHECK(soon([&] { return !flow.carries(); }, 2000ms));
    end_guest(*network, std::move(guest));
}
