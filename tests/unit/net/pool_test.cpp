#include "garden/net/pool.hpp"

#include <catch2/catch.hpp>

using namespace garden::net;

namespace {

Pool pool(const char* range = "10.254.0.0/22", const char* range6 = "") {
    return Pool::make(range, range6).value();
}

std::string refusal(Pool& from, std::string_view request) {
    auto taken = from.take(request);
    return taken ? "taken: " + to_string(taken->container) : taken.error().text;
}

}  // namespace

TEST_CASE("the pool hands out the lowest free /30 first") {
    Pool all = pool();
    CHECK(all.capacity() == 256);
    const Placement first = all.take("").value();
    const Placement second = all.take("").value();
    CHECK(to_string(first.subnet) == "10.254.0.0/30");
    CHECK(to_string(first.gateway) == "10.254.0.1");
    CHECK(to_string(first.container) == "10.254.0.2");
    CHECK(to_string(second.subnet) == "10.254.0.4/30");
    all.give(first);
    all.give(first);  // twice is once
    CHECK(all.free() == 255);
    CHECK(to_string(all.take("")->subnet) == "10.254.0.0/30");
    CHECK(to_string(all.take("")->subnet) == "10.254.0.8/30");
}

TEST_CASE("an exhausted pool says so and recovers") {
    Pool all = pool("10.254.0.0/29");
    const Placement first = all.take("").value();
    (void)all.take("").value();
    CHECK(refusal(all, "") == "insufficient subnets remaining in the pool");
    all.give(first);
    CHECK(to_string(all.take("")->subnet) == "10.254.0.0/30");
}

TEST_CASE("an adopted address is never handed out") {
    Pool all = pool();
    const Placement lease = all.take("").value();
    Pool restarted = pool();
    REQUIRE(restarted.adopt(lease));
    CHECK(!restarted.adopt(lease));
    CHECK(to_string(restarted.take("")->subnet) == "10.254.0.4/30");
    Pool moved = pool("10.253.0.0/22");  // the operator changed the pool meanwhile
    CHECK(moved.adopt(lease));
}

TEST_CASE("a requested subnet gives its lowest free address or exactly the one asked for") {
    Pool all = pool();
    CHECK(to_string(all.take("10.2.0.0/24")->container) == "10.2.0.2");
    CHECK(to_string(all.take("10.2.0.0/24")->container) == "10.2.0.3");
    CHECK(to_string(all.take("10.2.0.9/24")->container) == "10.2.0.9");
    const Placement plain = all.take("10.3.0.2").value();
    CHECK(to_string(plain.subnet) == "10.3.0.0/30");
    CHECK(plain.shared);
    CHECK(all.users(parse_cidr("10.2.0.0/24").value()) == 3);
}

TEST_CASE("requests are refused with Garden's texts") {
    Pool all = pool();
    (void)all.take("10.2.0.9/24").value();
    CHECK(refusal(all, "nonsense") == "invalid CIDR address: nonsense/30");
    CHECK(refusal(all, "10.2.0.9/24") == "the requested IP is already allocated");
    CHECK(refusal(all, "10.2.0.1/24") == "a container IP must not equal the gateway IP");
    CHECK(refusal(all, "10.2.0.255/24") == "a container IP must not equal the broadcast IP");
    CHECK(refusal(all, "10.254.0.0/24") ==
          "the requested subnet (10.254.0.0/24) overlaps the dynamic allocation range "
          "(10.254.0.0/22)");
    CHECK(refusal(all, "10.2.0.0/25") ==
          "the requested subnet (10.2.0.0/25) overlaps an existing subnet (10.2.0.0/24)");
    CHECK(refusal(all, "10.5.0.2/31").find("from /8 to /30") != std::string::npos);
    CHECK(refusal(all, "127.1.0.0/24").find("cannot be used") != std::string::npos);
    CHECK(refusal(all, "fd00::/64").find("IPv4") != std::string::npos);
    (void)all.take("10.6.0.0/30").value();
    CHECK(refusal(all, "10.6.0.0/30") == "insufficient IPs remaining in the pool");
}

TEST_CASE("a given-back subnet may be asked for with another size") {
    Pool all = pool();
    const Placement placement = all.take("10.2.0.0/24").value();
    all.give(placement);
    CHECK(all.take("10.2.0.0/25"));
}

TEST_CASE("with an IPv6 pool each lease has a /126 too") {
    Pool all = pool("10.254.0.0/22", "fd00:1::/48");
    const Placement first = all.take("").value();
    const Placement second = all.take("10.2.0.0/24").value();
    REQUIRE(first.subnet6);
    CHECK(to_string(*first.subnet6) == "fd00:1::/126");
    CHECK(to_string(*second.subnet6) == "fd00:1::4/126");
    all.give(first);
    CHECK(to_string(*all.take("")->subnet6) == "fd00:1::/126");
    CHECK(!Pool::make("10.254.0.0/22", "10.0.0.0/8"));
    CHECK(!Pool::make("10.254.0.0/31", ""));
    CHECK(!Pool::make("fd00::/48", ""));
}

TEST_CASE("a refused request takes nothing") {
    Pool all = pool("10.254.0.0/22", "fd00:1::/126");  // one IPv6 subnet only
    (void)all.take("").value();
    CHECK(refusal(all, "").find("IPv6") != std::string::npos);
    CHECK(all.free() == 255);
}
