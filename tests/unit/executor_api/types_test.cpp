#include "executor/api/types.hpp"

#include "base/json.hpp"
#include "executor/api/executor.hpp"

#include <catch2/catch.hpp>

using namespace executor::api;
using base::json::decode;
using base::json::encode;

namespace {

constexpr auto kContainer = R"({"guid":"g","memory_mb":64,"disk_mb":32,"max_pids":7,
 "Tags":{"lifecycle":"lrp"},"state":"running","routable":true,"allocated_at":5,"external_ip":"10.0.0.1",
 "internal_ip":"10.255.0.2","internal_ip_v6":"fd00::2","run_result":{"failed":true,"failure_reason":"r",
 "Retryable":true,"stopped":true},"memory_limit":1,"disk_limit":2,
 "advertise_preference_for_instance_address":true,"rootfs":"docker:///a","cpu_weight":50,
 "ports":[{"container_port":8080,"host_port":61000}],"internal_routes":[{"hostname":"h"}],
 "log_config":{"guid":"l","index":1,"source_name":"APP","tags":{"a":"b"}},
 "metrics_config":{"guid":"m","index":2},"start_timeout_ms":9,"privileged":true,
 "cached_dependencies":[{"name":"n","from":"http://x","to":"/to","cache_key":"k","log_source":"s"}],
 "setup":null,"run":{"run":{"path":"/a","user":"u"}},"monitor":null,
 "check_definition":{"checks":[{"tcp_check":{"port":1}},{"http_check":{"port":2,"path":"/p"}}]},
 "egress_rules":[{"protocol":"tcp","destinations":["0.0.0.0/0"],"ports":[80],"log":false}],
 "env":[{"name":"A","value":"B"}],
 "volume_mounts":[{"driver":"local","volume_id":"v","config":{"a":{"b":[1,2]}},"container_path":"/c","mode":1}],
 "network":{"properties":{"p":"q"}},"certificate_properties":{"organizational_unit":["ou"]},
 "image_username":"u","image_password":"p","enable_container_proxy":false,
 "sidecars":[{"run":{"run":{"path":"/s","user":"u"}},"disk_mb":1,"memory_mb":2}],
 "log_rate_limit_bytes_per_second":1024,"volume_mounted_files":[{"path":"a/b","content":"c"}],
 "unknown":{"is":"ignored"}})";

Container sample() {
    auto container = decode<Container>(kContainer);
    REQUIRE(container);
    return *container;
}

std::string complaint(const RunInfo& info) {
    const auto judged = validate(info);
    return judged ? "" : judged.error().text;
}

}  // namespace

TEST_CASE("a container survives the way to JSON and back") {
    const auto container = sample();
    const auto again = decode<Container>(encode(container));
    REQUIRE(again);
    CHECK(*again == container);
    CHECK(container.state == State::running);
    CHECK(container.run_result.retryable);
    CHECK(container.info.volume_mounts[0].config.at("a") == R"({"b":[1,2]})");
    CHECK(validate(container.info));
}

TEST_CASE("a container of 2015 is read") {
    const auto container = decode<Container>(
            R"({"guid":"g","tags":{"a":"b"},"start_timeout":3,"state":"reserved","run":null})");
    REQUIRE(container);
    CHECK(container->tags.at("a") == "b");
    CHECK(container->info.start_timeout_ms == 3000);
    CHECK(container->info.log_rate_limit_bytes_per_second == -1);
}

TEST_CASE("an unknown state is refused with its word") {
    const auto container = decode<Container>(R"({"guid":"g","state":"dancing"})");
    REQUIRE_FALSE(container);
    CHECK(container.error().text.find("dancing") != std::string::npos);
}

TEST_CASE("run requests break rules with the name of the field") {
    auto info = sample().info;
    info.run.reset();
    CHECK(complaint(info) == "run: an action is required");
    info = sample().info;
    info.cpu_weight = 101;
    CHECK(complaint(info) == "cpu_weight: 101 is above 100");
    info = sample().info;
    info.check_definition.checks[0].http_check = HttpCheck{.port = 1};
    CHECK(complaint(info) == "check_definition.checks[0]: exactly one of tcp_check and http_check");
    info = sample().info;
    info.check_definition.checks[1].http_check->path = "/a b\r\nX: y";
    CHECK(complaint(info) == "check_definition.checks[1].path: blanks and control characters");
    info = sample().info;
    info.ports[0].container_port = 0;
    CHECK(complaint(info) == "ports[0].container_port: 0 is not in 1..65535");
    info = sample().info;
    info.env[0].name = "A=B";
    CHECK(complaint(info) == "env[0].name: 'A=B' is no name of a variable");
    info = sample().info;
    info.volume_mounted_files[0].path = "a/../../b";
    CHECK(complaint(info) == "volume_mounted_files[0].path: 'a/../../b' leaves its directory");
    info = sample().info;
    info.cached_dependencies[0].to = "relative";
    CHECK(complaint(info) == "cached_dependencies[0].to: 'relative' is not an absolute path");
}

TEST_CASE("egress rules are judged by their protocol") {
    auto info = sample().info;
    const auto with = [&](EgressRule rule) {
        info.egress_rules = {std::move(rule)};
        return complaint(info);
    };
    CHECK(with({.protocol = "all",
                .destinations = {"1.1.1.1-2.2.2.2", "::1", "10.0.0.0/8,9.9.9.9"}})
                  .empty());
    CHECK(with({.protocol = "icmp", .destinations = {"::/0"}, .icmp_info = IcmpInfo{-1, 0}})
                  .empty());
    CHECK(with({.protocol = "sctp", .destinations = {"::/0"}}) ==
          "egress_rules[0].protocol: 'sctp' is not one of tcp, udp, icmp, icmpv6, all");
    CHECK(with({.protocol = "udp", .destinations = {"::/0"}}) ==
          "egress_rules[0]: exactly one of ports and port_range");
    CHECK(with({.protocol = "all", .destinations = {"::/0"}, .ports = {1}}) ==
          "egress_rules[0]: all rules have no ports");
    CHECK(with({.protocol = "all", .destinations = {"2.2.2.2-1.1.1.1"}}) ==
          "egress_rules[0].destinations: '2.2.2.2-1.1.1.1' is not first-last");
    CHECK(with({.protocol = "all", .destinations = {"10.0.0.0/33"}}) ==
          "egress_rules[0].destinations: '10.0.0.0/33' has no prefix length of 0..32");
    CHECK(with({.protocol = "tcp", .destinations = {"::/0"}, .port_range = PortRange{5, 4}}) ==
          "egress_rules[0].port_range: 5-4 is no range in 1..65535");
    CHECK(with({.protocol = "icmp", .destinations = {"::/0"}}) ==
          "egress_rules[0].icmp_info: is required");
}

TEST_CASE("guids are names that may stand in a path") {
    CHECK(validate(AllocationRequest{.guid = "a-B_9.c"}));
    CHECK_FALSE(validate(AllocationRequest{.guid = "../x"}));
    CHECK_FALSE(validate(AllocationRequest{.guid = std::string(201, 'a')}));
    const auto judged = validate(AllocationRequest{.guid = "a", .memory_mb = -1});
    REQUIRE_FALSE(judged);
    CHECK(judged.error().text.starts_with("memory_mb: -1"));
}

TEST_CASE("a long failure reason keeps its head and its tail") {
    CHECK(cut_failure_reason("short") == "short");
    std::string reason = "HEAD" + std::string(20'000, 'x') + "TAIL";
    auto cut = cut_failure_reason(reason);
    CHECK(cut.size() == kMaxFailureReason);
    CHECK(cut.starts_with("HEAD"));
    CHECK(cut.ends_with("TAIL"));
    reason.clear();
    for (int i = 0; i < 12'000; ++i) reason += "\xc3\xa4";
    cut = cut_failure_reason(reason);
    CHECK(cut.find("(cut)") != std::string::npos);
    CHECK((static_cast<unsigned char>(cut[0]) == 0xc3 && cut.ends_with("\xc3\xa4")));
}

TEST_CASE("an error keeps its name") {
    const auto error = make_error(kContainerNotFound, "container x");
    CHECK(error.text == "container not found: container x");
    CHECK(error.kind == base::Errc::not_found);
    CHECK(error_name(error) == kContainerNotFound);
    CHECK(error_name(base::Error{}).empty());
}
