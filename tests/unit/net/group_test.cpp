// What a security group becomes: layers of elements that do not overlap, and rules for the rest.
#include "garden/net/group.hpp"

#include <array>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace garden::net;

namespace {

Range span(const char* first, const char* last) {
    return {.first = parse_address(first).value(), .last = parse_address(last).value()};
}

OutRule tcp(const Range& network, std::uint16_t first, std::uint16_t last) {
    return {.protocol = OutProtocol::tcp,
            .networks = {network},
            .ports = {{.first = first, .last = last}}};
}

std::vector<unsigned> layers_of(const Group& group) {
    std::vector<unsigned> layers;
    for (const Allowance& one : group.allowances) layers.push_back(one.layer);
    return layers;
}

const Range kBlock = span("10.0.0.0", "10.0.0.255");

}  // namespace

TEST_CASE(
        "allowances that do not overlap share a layer and later ones go above what they overlap") {
    const std::array rules{
            tcp(kBlock, 80, 80),
            tcp(kBlock, 443, 443),                             // other ports
            OutRule{.protocol = OutProtocol::udp},             // another protocol
            tcp(span("10.0.0.7", "10.0.0.7"), 1, 100),         // over the first
            OutRule{},                                         // over all
            tcp(span("2001:db8::1", "2001:db8::9"), 80, 80)};  // beside all of IPv4
    CHECK(layers_of(compile(rules, false)) == std::vector<unsigned>{1, 1, 1, 2, 3, 1});
    const Group group = compile(rules, true);
    CHECK(layers_of(group) == std::vector<unsigned>{1, 1, 1, 2, 3, 4});
    CHECK(group.layers == 4);
    CHECK(group.allowances[4].boxes.size() == 2);
}

TEST_CASE("rules that are added change nothing of what the others have become") {
    std::vector<OutRule> rules;
    Group before = compile(rules, true);
    for (unsigned i = 0; i < 40; ++i) {
        const auto port = static_cast<std::uint16_t>(i * 37 % 20);
        rules.push_back(tcp(kBlock, port, static_cast<std::uint16_t>(port + i % 3)));
        const Group after = compile(rules, true);
        const auto old = layers_of(before);
        auto now = layers_of(after);
        now.resize(old.size());
        CHECK(now == old);
        before = after;
    }
}

TEST_CASE("what is said twice is one element and what says more than elements can is a rule") {
    const OutRule code{.protocol = OutProtocol::icmp, .icmp = IcmpMatch{.type = {}, .code = 3}};
    const OutRule type{.protocol = OutProtocol::icmp, .icmp = IcmpMatch{.type = 3, .code = {}}};
    const std::array rules{type, type, code, type, OutRule{.protocol = OutProtocol::tcp}};
    const Group group = compile(rules, false);
    CHECK(group.allowances[0].boxes.at(0).ports.first == 0x300);
    CHECK(group.allowances[0].boxes.at(0).ports.last == 0x3ff);
    CHECK(group.allowances[1].repeated);
    CHECK(group.allowances[2].layer == 0);
    CHECK_FALSE(group.allowances[3].repeated);  // to be tried before the one in between
    CHECK(layers_of(group) == std::vector<unsigned>{1, 1, 0, 0, 1});
}

TEST_CASE("a group of many layers or of very many elements ends in rules") {
    std::vector<OutRule> nested;
    for (std::uint16_t i = 0; i < 20; ++i) nested.push_back(tcp(kBlock, i, 100));
    Group group = compile(nested, false);
    CHECK(group.layers == kMaxLayers);
    CHECK(group.allowances[kMaxLayers - 1].layer == kMaxLayers);
    for (std::size_t i = kMaxLayers; i < nested.size(); ++i) CHECK(group.allowances[i].layer == 0);

    std::vector<OutRule> many;
    for (std::uint16_t i = 0; i < kMaxAsElements + 10; ++i) many.push_back(tcp(kBlock, i, i));
    group = compile(many, false);
    CHECK(group.allowances[kMaxAsElements - 1].layer == 1);
    CHECK(group.allowances[kMaxAsElements].layer == 0);
}

TEST_CASE("a group covers another one when each of its allowances is inside one of the new") {
    const auto covers_rules = [](std::vector<OutRule> after, std::vector<OutRule> before) {
        return covers(compile(after, true), compile(before, true));
    };
    const OutRule web = tcp(kBlock, 80, 90), wide = tcp(kBlock, 1, 1000), all{};
    CHECK(covers_rules({web}, {web}));
    CHECK(covers_rules({wide}, {web}));
    CHECK(covers_rules({all}, {web, wide}));
    CHECK(covers_rules({web, wide}, {}));
    CHECK_FALSE(covers_rules({web}, {wide}));
    CHECK_FALSE(covers_rules({}, {web}));
    CHECK_FALSE(covers_rules({web}, {web, all}));
    const OutRule v6 = tcp(span("2001:db8::1", "2001:db8::9"), 80, 80);
    CHECK_FALSE(covers_rules({web}, {web, v6}));
}
