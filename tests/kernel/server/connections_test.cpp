// The network's evidence over the API (docs/api.md): refused connections, counters, repairs.
#include "server_fixture.hpp"
#include "tests/support/needs.hpp"

#include <catch2/catch.hpp>

using namespace test;

TEST_CASE("refused connections, counters and the network's state are answered") {
    NEEDS(root, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto gateway = fixture.client().info("c").value().host_ip;
    (void)fixture.run("c", {"/bin/busybox", "nc", "-w", "1", gateway, "80"});
    auto client = fixture.client();
    const auto seen = [&] { return client.connections("c").value(); };
    REQUIRE(eventually([&] { return !seen().denied.empty(); }));
    const auto found = seen();
    const auto& entry = found.denied.front();
    CHECK(entry.reason == "host");
    CHECK(entry.verdict == "denied");
    CHECK(entry.direction == "out");
    CHECK(entry.protocol == "tcp");
    CHECK(entry.destination == gateway);
    CHECK(entry.destination_port == 80);
    CHECK(entry.icmp_type == -1);
    std::uint64_t packets = 0;
    for (const auto& rule : found.rules) {
        if (rule.rule == "to the host") packets = rule.packets;
    }
    CHECK(packets == entry.count);
    const auto state = client.network().value();
    CHECK(state.unrepaired == "");
    CHECK(state.unlogged == "");
    CHECK(state.repairs == 0);
    CHECK(state.denied.at("host") == packets);
    const auto metrics = call(fixture.endpoint(), "GET", "/metrics").body;
    CHECK(metrics.find("gardend_connections_denied_total{reason=\"host\"}") != std::string::npos);
    CHECK(metrics.find("gardend_network_repairs_total 0") != std::string::npos);

    Wire wire(fixture.endpoint());
    wire.send(go_request("GET", "/cloche/v1/containers/c/connections?follow=1"));
    CHECK(wire.until("\"reason\":\"host\"").find("event: connection") != std::string::npos);
    wire.close();

    CHECK(call(fixture.endpoint(), "GET", "/cloche/v1/containers/c/connections?follow=x").status ==
          400);
    CHECK(call(fixture.endpoint(), "GET", "/cloche/v1/containers/nobody/connections").status ==
          404);
}

TEST_CASE("a restart keeps the counters and repairs nothing that is whole") {
    NEEDS(root, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto gateway = fixture.client().info("c").value().host_ip;
    (void)fixture.run("c", {"/bin/busybox", "nc", "-w", "1", gateway, "80"});
    const auto packets = [&] {
        std::uint64_t count = 0;
        const auto found = fixture.client().connections("c").value();
        for (const auto& rule : found.rules) count += rule.verdict == "denied" ? rule.packets : 0;
        return count;
    };
    REQUIRE(packets() > 0);
    const auto before = packets();
    fixture.restart();
    CHECK(packets() == before);
    CHECK(fixture.client().network().value().repairs == 0);
}
