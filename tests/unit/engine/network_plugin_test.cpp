#include "garden/engine/network_plugin.hpp"

#include "tests/unit/engine/plugin_script.hpp"

#include <catch2/catch.hpp>

using garden::ContainerSpec;
using garden::Handle;
using garden::NetworkPlugin;
using test::PluginScript;

namespace {

NetworkPlugin plugin_of(const PluginScript& script) {
    return NetworkPlugin({.program = script.path(), .arguments = {"--config", "x"}});
}

ContainerSpec spec_of(const std::string& handle) {
    ContainerSpec spec;
    spec.handle = Handle(handle);
    spec.properties = {{"network.app_id", "a"}, {"log_config", "{}"}, {"executor:owner", "e"}};
    spec.out_rules = {
            {.protocol = 1,
             .networks = {{.first = "10.0.0.1", .last = "10.0.0.9"}},
             .ports = {{.first = 80, .last = 81}},
             .log = true}};
    spec.in_ports = {{.host = 0, .container = 8080}};
    return spec;
}

}  // namespace

TEST_CASE(
        "a network plugin is told the pid, its properties and the rules, and answers properties") {
    const PluginScript script(
            R"({"properties":{"garden.network.container-ip":"10.255.0.7"},"dns_servers":["1.2.3.4"],)"
            R"("search_domains":["a.b"],"else":1})");
    const auto up = plugin_of(script).up(spec_of("h1"), 42).value();
    CHECK(up.properties.at("garden.network.container-ip") == "10.255.0.7");
    CHECK(up.dns_servers == std::vector<std::string>{"1.2.3.4"});
    CHECK(up.search_domains == std::vector<std::string>{"a.b"});
    CHECK(script.calls() ==
          "--config x --action up --handle h1\n"
          R"({"Pid":42,"Properties":{"app_id":"a","log_config":"{}"},"netout_rules":[{"protocol":1,)"
          R"("networks":[{"start":"10.0.0.1","end":"10.0.0.9"}],"ports":[{"start":80,"end":81}],)"
          R"("log":true}],"netin":[{"host_port":0,"container_port":8080}]})"
          "\n");
}

TEST_CASE("a network plugin's other actions have Garden's inputs") {
    const PluginScript script(R"({"host_port":61001,"container_port":8080})");
    const auto plugin = plugin_of(script);
    const auto ports =
            plugin.net_in(Handle("h"), "1.1.1.1", "10.0.0.2", {.host = 0, .container = 8080})
                    .value();
    CHECK(ports.host == 61001);
    CHECK(ports.container == 8080);
    const std::vector<garden::OutRuleSpec> rules{{.protocol = 0}};
    CHECK(plugin.net_out(Handle("h"), "10.0.0.2", rules, false));
    CHECK(plugin.net_out(Handle("h"), "10.0.0.2", rules, true));
    CHECK(plugin.down(Handle("h")));
    CHECK(script.calls() ==
          "--config x --action net-in --handle h\n"
          R"({"HostIP":"1.1.1.1","HostPort":0,"ContainerIP":"10.0.0.2","ContainerPort":8080})"
          "\n--config x --action net-out --handle h\n"
          R"({"container_ip":"10.0.0.2","netout_rule":{}})"
          "\n--config x --action bulk-net-out --handle h\n"
          R"({"container_ip":"10.0.0.2","netout_rules":[{}]})"
          "\n--config x --action down --handle h\nnull\n");
}

TEST_CASE("a network plugin that fails or answers nonsense is an error with Garden's words") {
    const PluginScript failing("", 3);
    const auto failed = plugin_of(failing).up(spec_of("h"), 1);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().text ==
          "external networker encountered an error running 'up' action: exit status 3: reason\n");
    const PluginScript babbling("{\"properties\": 7}");
    const auto babbled = plugin_of(babbling).up(spec_of("h"), 1);
    REQUIRE_FALSE(babbled);
    CHECK(babbled.error().text.find("unmarshaling result from external networker") !=
          std::string::npos);
    CHECK(garden::parse_connected("").value().properties.empty());
    CHECK(garden::parse_connected("null").value().properties.empty());
}
