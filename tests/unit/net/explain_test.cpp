// Which verdict a connection meets, by which rule, and what would open it.
#include "garden/net/explain.hpp"

#include <catch2/catch.hpp>

using namespace garden::net;

namespace {

Address address(const char* text) {
    return parse_address(text).value();
}

ConnectFacts facts() {
    ConnectFacts out;
    out.deny_networks = {parse_cidr("10.0.0.0/8").value()};
    out.resolvers = {address("10.0.0.53")};
    out.host = {address("10.254.0.1"), address("192.0.2.1")};
    out.external = address("192.0.2.1");
    out.mapped_ports = {61001};
    out.containers = {address("10.254.0.6")};
    out.own = {address("10.254.0.2")};
    return out;
}

ConnectAnswer ask(const char* to, const ConnectFacts& of, OutProtocol protocol = OutProtocol::tcp) {
    return explain(parse_connect(to, protocol).value(), of);
}

std::string verdict(const char* to, const ConnectFacts& of) {
    const auto answer = ask(to, of);
    return (answer.allowed ? "allowed " : "denied " + answer.reason + " ") + answer.rule;
}

}  // namespace

TEST_CASE("explain finds the verdict of a connection in the order of the rules") {
    auto of = facts();
    CHECK(verdict("127.0.0.1:80", of) == "allowed NET-09");
    CHECK(verdict("10.254.0.2:80", of) == "allowed NET-09");
    CHECK(verdict("198.51.100.7:443", of) == "allowed NET-06");
    CHECK(verdict("169.254.169.254:80", of) == "denied metadata NET-05");
    CHECK(verdict("10.254.0.1:22", of) == "denied host NET-04");
    CHECK(verdict("192.0.2.1:22", of) == "denied host NET-04");
    CHECK(verdict("192.0.2.1:61001", of) == "allowed NET-06");
    CHECK(verdict("10.254.0.6:80", of) == "denied container NET-04");
    CHECK(verdict("10.1.2.3:80", of) == "denied network NET-06");
    CHECK(verdict("10.0.0.53:53", of) == "allowed NET-12");
    CHECK(verdict("10.0.0.53:54", of) == "denied network NET-06");
    CHECK(verdict("[2001:db8::1]:80", of) == "denied none NET-08");
    of.egress_deny = true;
    CHECK(verdict("198.51.100.7:443", of) == "denied network NET-06");
    CHECK(verdict("192.0.2.1:61001", of) == "denied network NET-06");
    of.allow_host_access = true;
    CHECK(verdict("10.254.0.1:22", of) == "allowed NET-04");
    of.network = false;
    CHECK(verdict("198.51.100.7:443", of) == "denied none NET-09");
}

TEST_CASE("explain names the rule that opens a connection, and sees it once it is there") {
    auto of = facts();
    const auto refused = ask("10.254.0.6:80", of);
    CHECK(refused.seen_as == "EHOSTUNREACH");
    CHECK(refused.remedy == R"(a NetOut rule {"protocol":1,"networks":[{"start":"10.254.0.6"}],)"
                            R"("ports":[{"start":80,"end":80}]})");
    CHECK(ask("10.1.2.3:80", of).seen_as == "ECONNREFUSED");
    CHECK(ask("169.254.169.254:80", of).remedy == "none: no rule opens it");
    of.rules = {
            {.protocol = OutProtocol::udp},
            {.protocol = OutProtocol::tcp,
             .networks = {{.first = address("10.254.0.5"), .last = address("10.254.0.9")}},
             .ports = {{.first = 70, .last = 80}}}};
    CHECK(verdict("10.254.0.6:80", of) == "allowed NET-06");
    CHECK(ask("10.254.0.6:80", of).because == "rule 2 of the 2 of this container allows it");
    CHECK(verdict("10.254.0.6:81", of) == "denied container NET-04");
    CHECK(verdict("169.254.169.254:80", of) == "denied metadata NET-05");
    of.rules = {{.protocol = OutProtocol::icmp, .icmp = IcmpMatch{.type = 8, .code = {}}}};
    CHECK_FALSE(ask("10.254.0.6", of, OutProtocol::icmp).allowed);
    of.rules = {{.protocol = OutProtocol::all}};
    CHECK(ask("10.254.0.6", of, OutProtocol::icmp).allowed);
}

TEST_CASE("explain knows subnets that containers share, and IPv6") {
    auto of = facts();
    of.shared_subnet = parse_cidr("10.254.0.0/24").value();
    CHECK(verdict("10.254.0.6:80", of) == "denied none NET-01");
    CHECK(verdict("10.254.0.1:80", of) == "denied host NET-04");
    of.isolated = false;
    CHECK(verdict("10.254.0.6:80", of) == "allowed NET-01");
    of = facts();
    of.has_v6 = true;
    CHECK(verdict("[2001:db8::1]:80", of) == "allowed NET-06");
    CHECK(ask("[fd00:ec2::254]:80", of).seen_as == "EACCES");
    of.plugin = true;
    CHECK(ask("10.1.2.3:80", of).reason == "unknown");
}

TEST_CASE("what is asked about a connection is checked") {
    CHECK(to_string(parse_connect("[fd00::1]:80", OutProtocol::udp).value()) ==
          "connect to [fd00::1]:80 by udp");
    CHECK(parse_protocol("").value() == OutProtocol::tcp);
    CHECK(parse_protocol("sctp").error().text ==
          "protocol: expected tcp, udp, icmp or icmpv6, got \"sctp\"");
    for (const char* text : {"", "10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "host:80", ":80"})
        CHECK(parse_connect(text, OutProtocol::tcp).error().kind == base::Errc::invalid);
}
