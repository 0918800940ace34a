// Every rule of what clients may send: one record that is right, and each way to break it.
#include "base/json.hpp"
#include "brain/validate/validate.hpp"

#include <catch2/catch.hpp>

using namespace brain;
using validate::Rules;

namespace {

api::Action run_action() {
    executor::api::RunAction run;
    run.path = "/bin/true";
    run.user = "vcap";
    return {.value = run};
}

api::Task good_task() {
    api::Task task;
    task.task_guid = "task-1_A";
    task.domain = "domain";
    task.task_definition.definition.rootfs = "preloaded:cflinuxfs4";
    task.task_definition.definition.action = run_action();
    return task;
}

api::DesiredLrp good_lrp() {
    api::DesiredLrp lrp;
    lrp.process_guid = "process-1";
    lrp.domain = "domain";
    lrp.definition.rootfs = "docker:///alpine#3.19";
    lrp.definition.action = run_action();
    lrp.instances = 2;
    lrp.ports = {8080};
    return lrp;
}

std::string of_task(const std::function<void(api::Task&)>& change, const Rules& rules = {}) {
    auto task = good_task();
    change(task);
    return validate::validate(task, rules).message();
}

std::string of_lrp(const std::function<void(api::DesiredLrp&)>& change, const Rules& rules = {}) {
    auto lrp = good_lrp();
    change(lrp);
    return validate::validate(lrp, rules).message();
}

std::string of_action(const std::string& json) {
    const auto action = base::json::decode<api::Action>(json);
    REQUIRE(action);
    return validate::validate_action(*action, "action").message();
}

std::string of_rule(const std::string& json, const Rules& rules = {}) {
    const auto rule = base::json::decode<api::EgressRule>(json);
    REQUIRE(rule);
    return validate::validate_rule(*rule, "egress_rules[0]", rules).message();
}

const std::string kRun = R"({"run":{"path":"/a","user":"u"}})";

}  // namespace

TEST_CASE("a good task and a good desired LRP pass under every set of rules") {
    for (const auto& rules : {Rules::today(), Rules::of_2015()}) {
        CHECK(validate::validate(good_task(), rules).empty());
        CHECK(validate::validate(good_lrp(), rules).empty());
    }
    CHECK(of_lrp([](auto&) {}, Rules::bbs()) == "Invalid field: metric_tags");
}

TEST_CASE("every broken rule of a task is told in the order of the spec") {
    const auto message = of_task([](api::Task& task) {
        task = {};
        auto& definition = task.task_definition.definition;
        definition.cpu_weight = 101;
        definition.annotation = std::string(10'241, 'a');
        definition.egress_rules.push_back({.protocol = "sctp"});
    });
    CHECK(message ==
          "Invalid field: domain, Invalid field: task_guid, Invalid field: rootfs, "
          "Invalid field: action, Invalid field: cpu_weight, Invalid field: annotation, "
          "Invalid field: egress_rules, Invalid field: protocol");
}

TEST_CASE("every broken rule of a desired LRP is told in the order of the spec") {
    const auto message = of_lrp([](api::DesiredLrp& lrp) {
        lrp = {};
        lrp.instances = -1;
        lrp.definition.annotation = std::string(10'241, 'a');
        lrp.routes["r"] = std::string(131'073, ' ');
        lrp.setup = api::Action{.value = executor::api::RunAction{}};
        lrp.monitor = api::Action{.value = executor::api::SerialAction{}};
        lrp.definition.cpu_weight = 101;
        lrp.definition.env = {{.name = " ", .value = "x"}};
    });
    CHECK(message ==
          "Invalid field: domain, Invalid field: rootfs, Invalid field: instances, "
          "Invalid field: annotation, Invalid field: routes, Invalid field: process_guid, "
          "Invalid field: setup, Invalid field: path, Invalid field: user, "
          "Invalid field: action, Invalid field: monitor, Invalid field: actions, "
          "Invalid field: cpu_weight, Invalid field: env");
}

TEST_CASE("reasons name the place, the value and the limit") {
    auto task = good_task();
    task.task_definition.definition.cpu_weight = 101;
    task.task_definition.definition.annotation = std::string(10'241, 'a');
    CHECK(validate::validate(task).details() ==
          std::vector<std::string>{
                  "cpu_weight: 101, the limit is 100",
                  "annotation: 10241 bytes, the limit is 10240"});
}

TEST_CASE("guids are of letters, digits, dashes and underscores") {
    for (const auto& good : {std::string("a"), std::string("A-b_9"), std::string(255, 'x')})
        CHECK(of_task([&](auto& task) { task.task_guid = good; }).empty());
    for (const std::string bad : {"", "a b", "a/b", "a.b", "ä", "a\n"}) {
        CHECK(of_task([&](auto& task) { task.task_guid = bad; }) == "Invalid field: task_guid");
        CHECK(of_lrp([&](auto& lrp) { lrp.process_guid = bad; }) == "Invalid field: process_guid");
    }
    CHECK(of_task([](auto& task) { task.task_guid = std::string(256, 'x'); }) ==
          "Invalid field: task_guid");
    CHECK(of_task([](auto& task) { task.task_guid = std::string("a\0b", 3); }) ==
          "Invalid field: task_guid");
}

TEST_CASE("a domain is not empty, not longer than a storage key and printable") {
    CHECK(validate::validate_domain("cf-apps").empty());
    CHECK(validate::validate_domain(std::string(255, 'd')).empty());
    for (const auto& bad : {std::string(), std::string(256, 'd'), std::string("a\nb")})
        CHECK(validate::validate_domain(bad).message() == "Invalid field: domain");
}

TEST_CASE("a rootfs is a URL with a scheme") {
    for (const std::string good : {"preloaded:x", "docker:///a#b", "docker://h:1/a", "other:what"})
        CHECK(of_task([&](auto& task) { task.task_definition.definition.rootfs = good; }).empty());
    for (const std::string bad : {"", "/a/path", ":x", "1a:b", "no scheme", "a\n:x"})
        CHECK(of_task([&](auto& task) { task.task_definition.definition.rootfs = bad; }) ==
              "Invalid field: rootfs");
    CHECK(of_task([](auto& task) {
              task.task_definition.definition.rootfs = "a:" + std::string(1'023, 'x');
          }) == "Invalid field: rootfs");
}

TEST_CASE("a missing and an empty action are both refused") {
    CHECK(of_task([](auto& task) { task.task_definition.definition.action.reset(); }) ==
          "Invalid field: action");
    CHECK(of_lrp([](auto& lrp) { lrp.definition.action = api::Action{}; }) ==
          "Invalid field: action");
    CHECK(of_lrp([](auto& lrp) { lrp.setup = api::Action{}; }).empty());
}

TEST_CASE("each kind of action has its required members") {
    CHECK(of_action(kRun).empty());
    CHECK(of_action(R"({"run":{"path":"","user":""}})") ==
          "Invalid field: path, Invalid field: user");
    CHECK(of_action(R"({"run":{"path":"a","user":"u","env":[{"name":"","value":"x"}]}})") ==
          "Invalid field: env");
    CHECK(of_action(R"({"download":{}})") ==
          "Invalid field: from, Invalid field: to, Invalid field: user");
    CHECK(of_action(R"({"upload":{}})") ==
          "Invalid field: to, Invalid field: from, Invalid field: user");
    CHECK(of_action(R"({"timeout":{"timeout":5}})") == "Invalid field: action");
    CHECK(of_action(R"({"timeout":{"timeout":0,"action":)" + kRun + "}}") ==
          "Invalid field: timeout");
    CHECK(of_action(R"({"timeout":{"timeout":-1,"action":)" + kRun + "}}") ==
          "Invalid field: timeout");
    CHECK(of_action(R"({"try":{}})") == "Invalid field: action");
    CHECK(of_action(R"({"emit_progress":{}})") == "Invalid field: action");
    for (const std::string kind : {"parallel", "serial", "codependent"}) {
        CHECK(of_action("{\"" + kind + "\":{}}") == "Invalid field: actions");
        CHECK(of_action("{\"" + kind + "\":{\"actions\":[null]}}") == "Invalid field: actions");
        CHECK(of_action("{\"" + kind + "\":{\"actions\":[" + kRun + "]}}").empty());
        CHECK(of_action("{\"" + kind + "\":{\"actions\":[{\"try\":{}}]}}") ==
              "Invalid field: action");
    }
    CHECK(of_action(R"({"download":{"from":"a","to":"b","user":"u","checksum_value":"x"}})") ==
          "Invalid field: checksum");
    CHECK(of_action(
                  R"({"download":{"from":"a","to":"b","user":"u","checksum_algorithm":"crc","checksum_value":"x"}})") ==
          "Invalid field: checksum");
}

TEST_CASE("actions nested too deep and too many are one violation each") {
    api::Action deep = run_action();
    for (int i = 0; i < 40; ++i) deep = {.value = executor::api::TryAction{.action = deep}};
    CHECK(validate::validate_action(deep, "action").message() == "Invalid field: action");
    executor::api::SerialAction wide;
    wide.actions.assign(1'001, run_action());
    CHECK(validate::validate_action({.value = wide}, "action").message() ==
          "Invalid field: action");
}

TEST_CASE("a record that is wrong everywhere gives a bounded list") {
    auto task = good_task();
    task.task_definition.definition.egress_rules.assign(1'000, {.protocol = "x"});
    CHECK(validate::validate(task).size() == validate::kMaxViolations);
}

TEST_CASE("the total of the routes' values is limited and keys are not counted") {
    const auto with = [](std::size_t bytes, const Rules& rules) {
        return of_lrp(
                [&](auto& lrp) {
                    lrp.routes[std::string(1'000, 'k')] = std::string(bytes - 2, ' ');
                    lrp.routes["b"] = "{}";
                },
                rules);
    };
    CHECK(with(131'072, Rules::today()).empty());
    CHECK(with(131'073, Rules::today()) == "Invalid field: routes");
    CHECK(with(4'096, Rules::of_2015()).empty());
    CHECK(with(4'097, Rules::of_2015()) == "Invalid field: routes");
}

TEST_CASE("annotation and cpu weight may reach their limits") {
    CHECK(of_task([](auto& task) {
              task.task_definition.definition.annotation = std::string(10'240, 'a');
              task.task_definition.definition.cpu_weight = 100;
          }).empty());
    Rules rules = Rules::bbs();
    rules.metric_tags_required = false;
    CHECK(of_lrp([](auto& lrp) { lrp.definition.cpu_weight = 1'000; }, rules).empty());
}

TEST_CASE("tcp and udp rules have exactly one of ports and a range") {
    const auto rule = [](const std::string& protocol, const std::string& rest) {
        return of_rule(
                R"({"protocol":")" + protocol + R"(","destinations":["10.0.0.0/8"])" + rest + "}");
    };
    for (const std::string protocol : {"tcp", "udp"}) {
        CHECK(rule(protocol, R"(,"ports":[80,443])").empty());
        CHECK(rule(protocol, R"(,"port_range":{"start":1,"end":1})").empty());
        CHECK(rule(protocol, "") == "Invalid field: ports");
        CHECK(rule(protocol, R"(,"ports":[1],"port_range":{"start":1,"end":2})") ==
              "Invalid field: ports");
        CHECK(rule(protocol, R"(,"ports":[0])") == "Invalid field: ports");
        CHECK(rule(protocol, R"(,"port_range":{"start":0,"end":2})") ==
              "Invalid field: port_range");
        CHECK(rule(protocol, R"(,"port_range":{"start":3,"end":2})") ==
              "Invalid field: port_range");
        CHECK(rule(protocol, R"(,"ports":[1],"icmp_info":{"type":0,"code":0})") ==
              "Invalid field: icmp_info");
    }
}

TEST_CASE("icmp rules have their info and no ports, all rules have neither") {
    CHECK(of_rule(R"({"protocol":"icmp","destinations":["1.1.1.1"],"icmp_info":{"type":-1,"code":-1}})")
                  .empty());
    CHECK(of_rule(R"({"protocol":"icmp","destinations":["1.1.1.1"]})") ==
          "Invalid field: icmp_info");
    CHECK(of_rule(R"({"protocol":"icmp","destinations":["1.1.1.1"],"ports":[1],"icmp_info":{"type":0,"code":0}})") ==
          "Invalid field: ports");
    CHECK(of_rule(R"({"protocol":"all","destinations":["1.1.1.1"]})").empty());
    CHECK(of_rule(R"({"protocol":"all","destinations":["1.1.1.1"],"ports":[1]})") ==
          "Invalid field: ports");
    CHECK(of_rule(R"({"protocol":"all","destinations":["1.1.1.1"],"port_range":{"start":1,"end":2}})") ==
          "Invalid field: port_range");
    CHECK(of_rule(R"({"protocol":"all","destinations":["1.1.1.1"],"icmp_info":{"type":0,"code":0}})") ==
          "Invalid field: icmp_info");
    CHECK(of_rule(R"({"protocol":"sctp","destinations":["1.1.1.1"]})") ==
          "Invalid field: protocol");
}

TEST_CASE("destinations are addresses, networks or ranges") {
    const auto to = [](const std::string& destination, const Rules& rules = {}) {
        return of_rule(R"({"protocol":"all","destinations":[")" + destination + "\"]}", rules);
    };
    for (const std::string good :
         {"10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.1", "::1",
          "fe80::/10", "10.0.0.1,10.0.0.2-10.0.0.3,10.1.0.0/16"})
        CHECK(to(good).empty());
    for (const std::string bad :
         {"", "host", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.9-10.0.0.1",
          "10.0.0.1-::1", "10.0.0.1,", "10.0.0.1-", "::/129"})
        CHECK(to(bad) == "Invalid field: destinations");
    CHECK(of_rule(R"({"protocol":"all","destinations":[]})") == "Invalid field: destinations");
    CHECK(to("10.0.0.1,10.0.0.2", Rules::of_2015()) == "Invalid field: destinations");
}

TEST_CASE("the rules of 2015 log tcp and all only and know no icmpv6") {
    const std::string udp =
            R"({"protocol":"udp","destinations":["1.1.1.1"],"ports":[1],"log":true})";
    CHECK(of_rule(udp).empty());
    CHECK(of_rule(udp, Rules::of_2015()) == "Invalid field: log");
    const std::string v6 =
            R"({"protocol":"icmpv6","destinations":["::1"],"icmp_info":{"type":0,"code":0}})";
    CHECK(of_rule(v6).empty());
    CHECK(of_rule(v6, Rules::of_2015()) == "Invalid field: protocol");
    CHECK(of_rule(R"({"protocol":"all","destinations":["1.1.1.1"],"log":true})", Rules::of_2015())
                  .empty());
}

TEST_CASE("sizes below zero are refused today and were not in 2015") {
    const auto negative = [](auto& task) {
        task.task_definition.definition.memory_mb = -1;
        task.task_definition.definition.disk_mb = -1;
    };
    CHECK(of_task(negative) == "Invalid field: memory_mb, Invalid field: disk_mb");
    CHECK(of_task(negative, Rules::of_2015()).empty());
    CHECK(of_task([](auto& task) { task.task_definition.definition.max_pids = -1; }) ==
          "Invalid field: max_pids");
}

TEST_CASE("what is newer than 2015 has its rules") {
    const auto with = [](const std::function<void(api::Definition&)>& change) {
        return of_lrp([&](auto& lrp) { change(lrp.definition); });
    };
    CHECK(with([](auto& d) { d.log_rate_limit = {-1}; }).empty());
    CHECK(with([](auto& d) { d.log_rate_limit = {-2}; }) == "Invalid field: log_rate_limit");
    CHECK(with([](auto& d) { d.image_username = "u"; }) == "Invalid field: image_password");
    CHECK(with([](auto& d) { d.image_password = "p"; }) == "Invalid field: image_username");
    CHECK(with([](auto& d) { d.cached_dependencies = {{.name = "x"}}; }) ==
          "Invalid field: cached_dependencies, Invalid field: from, Invalid field: to");
    CHECK(with([](auto& d) {
              d.volume_mounts = {
                      {.mode = "x",
                       .shared = api::SharedDevice{.volume_id = "", .mount_config = ""}}};
          }) ==
          "Invalid field: volume_mounts, Invalid field: driver, Invalid field: mode, "
          "Invalid field: container_dir, Invalid field: volume_id");
    CHECK(with([](auto& d) {
              d.volume_mounted_files = {{.path = "a", .content = std::string((1U << 20) + 1, 'x')}};
          }) == "Invalid field: volume_mounted_files");
    CHECK(with([](auto& d) { d.volume_mounted_files = {{.path = "../a", .content = ""}}; }) ==
          "Invalid field: volume_mounted_files");
    CHECK(with([](auto& d) { d.image_layers = {{}}; }) ==
          "Invalid field: image_layers, Invalid field: url, Invalid field: destination_path, "
          "Invalid field: layer_type, Invalid field: media_type");
    CHECK(with([](auto& d) {
              d.image_layers = {
                      {.url = "http://x",
                       .destination_path = "/y",
                       .layer_type = api::LayerType::exclusive,
                       .media_type = api::MediaType::tgz}};
          }) ==
          "Invalid field: image_layers, Invalid field: digest_value, "
          "Invalid field: legacy_download_user");
    CHECK(with([](auto& d) { d.metric_tags["a"] = {}; }) == "Invalid field: metric_tags");
    CHECK(with([](auto& d) {
              d.metric_tags["a"] = {.fixed = "x", .dynamic = api::DynamicTag::index};
          }) == "Invalid field: metric_tags");
    CHECK(with([](auto& d) {
              d.metrics_guid = "g";
              d.metric_tags["source_id"] = {.fixed = "other"};
          }) == "Invalid field: source_id");
    CHECK(with([](auto& d) { d.metrics_guid = "g"; }).empty());
}

TEST_CASE("checks, sidecars and ports of a desired LRP have their rules") {
    CHECK(of_lrp([](auto& lrp) { lrp.check_definition.checks = {{}}; }) ==
          "Invalid field: check_definition, Invalid field: check");
    CHECK(of_lrp([](auto& lrp) {
              lrp.check_definition.readiness_checks = {{.tcp_check = executor::api::TcpCheck{}}};
          }) == "Invalid field: check_definition, Invalid field: port");
    CHECK(of_lrp([](auto& lrp) {
              lrp.check_definition.checks = {
                      {.http_check = executor::api::HttpCheck{.port = 80, .path = "/a b"}}};
          }) == "Invalid field: check_definition, Invalid field: path");
    CHECK(of_lrp([](auto& lrp) { lrp.sidecars = {{.disk_mb = -1, .memory_mb = -1}}; }) ==
          "Invalid field: sidecars, Invalid field: action, Invalid field: disk_mb, "
          "Invalid field: memory_mb");
    CHECK(of_lrp([](auto& lrp) { lrp.ports = {0}; }) == "Invalid field: ports");
    CHECK(of_lrp([](auto& lrp) { lrp.ports.assign(257, 1); }) == "Invalid field: ports");
    CHECK(of_lrp([](auto& lrp) { lrp.start_timeout_ms = -1; }) ==
          "Invalid field: start_timeout_ms");
    CHECK(of_lrp([](auto& lrp) { lrp.instances = 100'001; }) == "Invalid field: instances");
}

TEST_CASE("an empty update is legal and each of its parts has its rule") {
    api::DesiredLrpUpdate update;
    CHECK(validate::validate(update).empty());
    update.instances = -1;
    update.routes = std::map<std::string, std::string>{{"r", std::string(131'073, ' ')}};
    update.annotation = std::string(10'241, 'a');
    update.image_username = "u";
    CHECK(validate::validate(update).message() ==
          "Invalid field: instances, Invalid field: routes, Invalid field: annotation, "
          "Invalid field: image_password");
}

TEST_CASE("a callback is an absolute URL of http or https") {
    for (const std::string good : {"http://h", "https://u:p@h:1/a?b=c", "http://[::1]:80/x"})
        CHECK(validate::validate_callback_url(good).empty());
    for (const std::string bad :
         {"", "x", "/path", "ftp://h/x", "http://", "http://h:99999/", "http://a b/"})
        CHECK(validate::validate_callback_url(bad).message() ==
              "Invalid field: completion_callback_url");
}
