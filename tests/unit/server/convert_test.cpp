// From the wire's rules of security groups to ours (garden-api 5.4).
#include "garden/server/convert.hpp"

#include "garden/engine/out_rules.hpp"

#include <array>

#include <catch2/catch.hpp>

using namespace garden;
using server::to_rule;

namespace {

std::string refusal(const OutRuleSpec& rule) {
    const auto parsed = parse_out_rules(std::array{rule});
    return parsed ? "" : parsed.error().text;
}

}  // namespace

TEST_CASE("icmp: 255 with 255, or without a code, is any; a code of 0 is a code") {
    const auto any = to_rule({.protocol = 3, .icmps = api::IcmpControl{.type = 255, .code = 255}});
    REQUIRE(any.icmp);
    CHECK_FALSE(any.icmp->type);
    CHECK_FALSE(any.icmp->code);
    const auto any_code =
            to_rule({.protocol = 3, .icmps = api::IcmpControl{.type = 8, .code = {}}});
    CHECK(any_code.icmp->type == 8);
    CHECK_FALSE(any_code.icmp->code);
    const auto exact = to_rule({.protocol = 3, .icmps = api::IcmpControl{.type = 0, .code = 0}});
    CHECK(exact.icmp->type == 0);
    CHECK(exact.icmp->code == 0);
    CHECK(to_rule({.protocol = 3, .icmps = api::IcmpControl{.type = 8, .code = 255}}).icmp->type ==
          8);
}

TEST_CASE("a range with one end is that address, or that port") {
    const auto rule = to_rule(
            {.protocol = 1,
             .networks = {{.start = "10.0.0.1", .end = ""}, {.start = "", .end = "::1"}},
             .ports = {{.start = 80, .end = 0}, {.start = 0, .end = 443}}});
    const auto parsed = parse_out_rules(std::array{rule}).value();
    REQUIRE(parsed.size() == 1);
    REQUIRE(parsed[0].networks.size() == 2);
    CHECK(net::to_string(parsed[0].networks[0].last) == "10.0.0.1");
    CHECK(net::to_string(parsed[0].networks[1].first) == "::1");
    CHECK(parsed[0].ports[0].last == 80);
    CHECK(parsed[0].ports[1].first == 443);
    CHECK(net::compiled_size(parsed[0]) == 4);
}

TEST_CASE("rules that mean nothing are refused with Garden's words, or with what is wrong") {
    CHECK(refusal({.protocol = 5}) == "invalid protocol: 5");
    CHECK(refusal({.ports = {{.first = 1, .last = 1}}}) ==
          "Ports cannot be specified for Protocol ALL");
    CHECK(refusal({.protocol = 4, .ports = {{.first = 1, .last = 1}}}) ==
          "Ports cannot be specified for Protocol ICMP");
    CHECK(refusal({.protocol = 1, .ports = {{.first = 2, .last = 1}}}) ==
          "ports: 2 to 1 is no range of ports");
    CHECK_FALSE(refusal({.networks = {{.first = "10.0.0.0/8", .last = ""}}}).empty());
    CHECK(refusal({.networks = {{.first = "10.0.0.1", .last = "::2"}}}) ==
          "networks: 10.0.0.1 to ::2 is no range of addresses");
    CHECK_FALSE(refusal({.networks = {{.first = "", .last = ""}}}).empty());
    const auto second = parse_out_rules(std::array{OutRuleSpec{}, OutRuleSpec{.protocol = 9}});
    REQUIRE_FALSE(second);
    CHECK(second.error().text == "netout_rules[1]: invalid protocol: 9");
    const std::vector<OutRuleSpec> many(net::kMaxCompiledRules + 1);
    CHECK_FALSE(parse_out_rules(many));
}
