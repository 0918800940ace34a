#include "executor/core/spec.hpp"

#include <catch2/catch.hpp>

using namespace executor;

namespace {

api::Container sample() {
    api::Container container;
    container.guid = "g";
    container.memory_mb = 64;
    container.disk_mb = 10;
    container.max_pids = 5;
    container.info.rootfs = "docker:///busybox";
    container.info.cpu_weight = 50;
    container.info.ports = {
            {.container_port = 8080},
            {.container_port = 8080},
            {.container_port = 9, .host_port = 7}};
    container.info.env = {{.name = "A", .value = "recipe"}};
    container.info.network.properties = {{"policy", "p"}};
    container.info.image_username = "u";
    return container;
}

}  // namespace

TEST_CASE("a container is asked for in Garden's words") {
    Settings settings;
    settings.environment = {{.name = "A", .value = "cell"}};
    const Mounts mounts{
            .binds = {{.src_path = "/s", .dst_path = "/d", .mode = 0, .origin = 0}},
            .environment = {{.name = "B", .value = "mount"}}};
    const auto spec = plan_container(sample(), settings, mounts);
    CHECK(spec.handle == "g");
    CHECK(spec.image.uri == "docker:///busybox");
    CHECK(spec.image.username == "u");
    CHECK(spec.properties.at("executor:owner") == "executor");
    CHECK(spec.properties.at("network.policy") == "p");
    CHECK(spec.limits.memory_limits.limit_in_bytes == std::uint64_t{64} << 20);
    CHECK(spec.limits.disk_limits.byte_hard == std::uint64_t{10} << 20);
    CHECK(spec.limits.disk_limits.inode_hard == 200'000);
    CHECK(spec.limits.pid_limits.max == 5);
    CHECK(spec.limits.cpu_limits.limit_in_shares == 512);
    // Later ones win.
    CHECK(spec.env == std::vector<std::string>{"A=cell", "B=mount", "A=recipe"});
    REQUIRE(spec.netin.size() == 2);
    CHECK(spec.netin[0].container_port == 8080);
    CHECK(spec.netin[1].host_port == 7);
    CHECK(spec.bind_mounts.size() == 1);
}

TEST_CASE("no limit is asked for where none is given") {
    auto container = sample();
    container.memory_mb = container.disk_mb = container.max_pids = 0;
    container.info.cpu_weight = 0;
    const auto spec = plan_container(container, Settings{}, {});
    CHECK(spec.limits.memory_limits.limit_in_bytes == 0);
    CHECK(spec.limits.disk_limits.byte_hard == 0);
    CHECK(spec.limits.cpu_limits.limit_in_shares == 1024);  // [2015]: no weight is all of it
}

TEST_CASE("egress rules become Garden's, destinations split at commas") {
    const auto rules = net_out_rules(
            {{.protocol = "tcp",
              .destinations = {"1.1.1.1-2.2.2.2,10.0.0.0/8"},
              .ports = {80, 443},
              .log = true},
             {.protocol = "udp",
              .destinations = {"::/0"},
              .port_range = api::PortRange{.start = 5, .end = 9}},
             {.protocol = "icmp",
              .destinations = {"0.0.0.0/0"},
              .icmp_info = api::IcmpInfo{.type = 8, .code = -1}},
             {.protocol = "icmp",
              .destinations = {"0.0.0.0/0"},
              .icmp_info = api::IcmpInfo{.type = -1, .code = -1}},
             {.protocol = "all", .destinations = {"9.9.9.9"}}});
    REQUIRE(rules.size() == 5);
    CHECK(rules[0].protocol == 1);
    CHECK(rules[0].log);
    REQUIRE(rules[0].networks.size() == 2);
    CHECK(rules[0].networks[0].end == "2.2.2.2");
    CHECK(rules[0].networks[1].start == "10.0.0.0/8");
    CHECK(rules[0].ports.size() == 2);
    CHECK(rules[1].ports[0].end == 9);
    REQUIRE(rules[2].icmps);
    CHECK(rules[2].icmps->type == 8);
    CHECK_FALSE(rules[2].icmps->code);
    CHECK_FALSE(rules[3].icmps);
    CHECK(rules[4].protocol == 0);
}
