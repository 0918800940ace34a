#include "garden/net/port_pool.hpp"

#include <catch2/catch.hpp>

using namespace garden::net;

namespace {

bool idle(std::uint16_t) {
    return false;
}

PortPool pool(std::uint32_t start = 61001, std::uint32_t size = 4) {
    return PortPool::make(start, size).value();
}

}  // namespace

TEST_CASE("ports come from the front of the queue and go back to its end") {
    PortPool ports = pool();
    CHECK(ports.take("a", idle).value() == 61001);
    CHECK(ports.take("a", idle).value() == 61002);
    ports.give(61001, "a");
    CHECK(ports.take("b", idle).value() == 61003);
    CHECK(ports.take("b", idle).value() == 61004);
    CHECK(ports.take("b", idle).value() == 61001);
    const auto none = ports.take("b", idle);
    REQUIRE_FALSE(none);
    CHECK(none.error().text == "port pool is exhausted");
    CHECK(none.error().kind == base::Errc::exhausted);
}

TEST_CASE("only the owner gives a port back, and only once") {
    PortPool ports = pool();
    const auto port = ports.take("a", idle).value();
    ports.give(port, "b");
    CHECK(ports.free() == 3);
    ports.give(port, "a");
    ports.give(port, "a");
    CHECK(ports.free() == 4);
}

TEST_CASE("a chosen port is refused when a container or the host has it") {
    PortPool ports = pool();
    REQUIRE(ports.take(61003, "a", idle));
    REQUIRE(ports.take(80, "a", idle));  // outside the pool
    CHECK(ports.take(80, "b", idle).error().text ==
          "host port 80 is mapped to another container already");
    CHECK(ports.take(80, "a", idle).error().text ==
          "host port 80 is mapped to this container already");
    const auto refused = ports.take(22, "a", [](std::uint16_t port) { return port == 22; });
    CHECK(refused.error().text == "host port 22 is in use by a service of the host itself");
    CHECK(refused.error().kind == base::Errc::conflict);
    CHECK(ports.take("b", idle).value() == 61001);
    CHECK(ports.take("b", idle).value() == 61002);
    CHECK(ports.take("b", idle).value() == 61004);  // 61003 is taken
    ports.give(80, "a");
    CHECK(ports.free() == 0);  // it never was of the pool
    CHECK(ports.take(80, "b", idle));
}

TEST_CASE("a port that the host uses is passed over") {
    PortPool ports = pool();
    CHECK(ports.take("a", [](std::uint16_t port) { return port < 61003; }).value() == 61003);
    CHECK(ports.free() == 3);
    CHECK_FALSE(ports.take("a", [](std::uint16_t) { return true; }));
    CHECK(ports.free() == 3);
}

TEST_CASE("the order of the queue survives a restart whatever was in use") {
    PortPool ports = pool();
    (void)ports.take("a", idle);
    (void)ports.take("a", idle);
    ports.give(61001, "a");
    CHECK(ports.order() == "61003-61004,61001");
    PortPool next = pool();
    next.restore(ports.order());
    REQUIRE(next.adopt(61002, "a"));
    CHECK(next.take("b", idle).value() == 61003);
    CHECK(next.take("b", idle).value() == 61004);
    CHECK(next.take("b", idle).value() == 61001);
    CHECK_FALSE(next.take("b", idle));
}

TEST_CASE("a stale or broken order gives no port twice and loses none") {
    PortPool ports = pool();
    ports.restore("61002-61004,61001");  // written before 61003 was taken
    REQUIRE(ports.adopt(61003, "a"));
    CHECK_FALSE(ports.adopt(61003, "b"));
    CHECK(ports.order() == "61002,61004,61001");
    for (const char* broken : {"rubbish", "61002-", "9-1", "61002,,61003", "-"}) {
        PortPool other = pool();
        other.restore(broken);
        CHECK(other.free() == 4);
    }
    PortPool smaller = pool(61003, 4);  // the operator moved the pool meanwhile
    smaller.restore("61002-61004,61001");
    CHECK(smaller.order() == "61003-61006");
}

TEST_CASE("bounds of the pool are refused by name") {
    CHECK(PortPool::make(61001, 4534));
    CHECK(PortPool::make(65535, 0));
    const auto refused = PortPool::make(61001, 4535);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("start 61001 and size 4535") != std::string::npos);
    CHECK_FALSE(PortPool::make(0, 10));
    CHECK_FALSE(PortPool::make(4'294'967'295, 10));
}
