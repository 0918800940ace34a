#include "garden/net/address.hpp"

#include <catch2/catch.hpp>

using namespace garden::net;

namespace {

Cidr cidr(const char* text) {
    return parse_cidr(text).value();
}

}  // namespace

TEST_CASE("a CIDR block keeps the written address and masks the network") {
    const Cidr block = cidr("10.1.2.3/22");
    CHECK(to_string(block) == "10.1.0.0/22");
    CHECK(to_string(block.address) == "10.1.2.3");
    CHECK(to_string(range_of(block).last) == "10.1.3.255");
    CHECK(to_string(cidr("fd00:1:2::5/48")) == "fd00:1:2::/48");
    CHECK(cidr("0.0.0.0/0").prefix == 0);
    CHECK(cidr("1.2.3.4").prefix == 32);
}

TEST_CASE("a malformed CIDR block is named") {
    for (const char* text :
         {"", "not-a-network", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "::/129",
          "10.0.0.0/8/8"}) {
        auto parsed = parse_cidr(text);
        REQUIRE(!parsed);
        CHECK(parsed.error().text == std::string("invalid CIDR address: ") + text);
    }
    CHECK(!parse_address(std::string_view("1.2.3.4\0x", 9)));
}

TEST_CASE("addition carries and wraps") {
    CHECK(to_string(plus(parse_address("10.0.0.255").value(), 1)) == "10.0.1.0");
    CHECK(to_string(plus(parse_address("255.255.255.255").value(), 1)) == "0.0.0.0");
    CHECK(to_string(plus(parse_address("fd00::ffff:ffff:ffff:ffff").value(), 4)) ==
          "fd00:0:0:1::3");
}

TEST_CASE("overlap is seen both ways and never between families") {
    CHECK(overlap(cidr("10.0.0.0/8"), cidr("10.254.0.0/22")));
    CHECK(overlap(cidr("10.254.0.0/22"), cidr("10.0.0.0/8")));
    CHECK(!overlap(cidr("10.0.0.0/24"), cidr("10.0.1.0/24")));
    CHECK(!overlap(cidr("0.0.0.0/0"), cidr("::/0")));
}

TEST_CASE("ranges are merged to disjoint ones") {
    const auto ranges =
            merged({range_of(cidr("10.0.1.0/24")), range_of(cidr("10.0.0.0/24")),
                    range_of(cidr("10.0.0.7/32")), range_of(cidr("255.255.255.0/24")),
                    range_of(cidr("192.168.0.0/16"))});
    REQUIRE(ranges.size() == 3);
    CHECK(to_string(ranges[0].first) == "10.0.0.0");
    CHECK(to_string(ranges[0].last) == "10.0.1.255");
    CHECK(to_string(ranges[2].last) == "255.255.255.255");
}
