// Settings of gardend: Garden operators' command lines, what belongs together, and that the
// documents name every setting.
#include "garden/server/settings.hpp"

#include "base/sys/file.hpp"

#include <unistd.h>

#include <fstream>

#include <catch2/catch.hpp>

using garden::server::Settings;

namespace {

struct Given {
    Settings settings;
    std::vector<std::string> ignored;
};

base::Result<Given> given(const std::vector<std::string>& arguments) {
    Given out;
    base::config::Schema schema(garden::server::schema_options());
    garden::server::declare(schema, out.settings);
    TRY(schema.load(arguments, {{"GARDEND_CONFIG", ""}}));
    TRY(garden::server::settle(out.settings));
    out.ignored = schema.ignored();
    return out;
}

std::string error_of(const std::vector<std::string>& arguments) {
    const auto out = given(arguments);
    REQUIRE_FALSE(out);
    return out.error().text;
}

std::string document(const std::string& path) {
    auto text = base::sys::read_host_file(std::string(CLOCHE_SOURCE_DIR) + "/" + path);
    REQUIRE(text);
    return *text;
}

}  // namespace

TEST_CASE("a command line of Garden starts gardend") {
    const auto out =
            given({"server",
                   "--bind-ip",
                   "127.0.0.1",
                   "--bind-port",
                   "7777",
                   "--depot",
                   "/var/vcap/depot",
                   "--properties-path",
                   "/var/vcap/props.json",
                   "--skip-setup",
                   "--runtime-plugin",
                   "/bin/runc",
                   "--network-pool",
                   "10.1.0.0/22",
                   "--deny-network",
                   "10.0.0.0/8",
                   "--deny-network",
                   "169.254.0.0/16",
                   "--default-grace-time",
                   "5m",
                   "--max-containers",
                   "250",
                   "--docker-registry",
                   "mirror.example:5000",
                   "--insecure-docker-registry",
                   "mirror.example:5000",
                   "--disable-privileged-containers",
                   "--destroy-containers-on-startup",
                   "--no-new-privileges",
                   "--allow-host-access",
                   "--mtu",
                   "1400",
                   "--dns-server",
                   "8.8.8.8",
                   "--external-ip",
                   "1.2.3.4",
                   "--cpu-quota-per-share",
                   "500",
                   "--disable-swap-limit",
                   "--time-format",
                   "rfc3339",
                   "--uid-map-start",
                   "1",
                   "--log-level",
                   "error"});
    REQUIRE(out);
    const auto& s = out->settings;
    REQUIRE(s.endpoints.size() == 1);
    CHECK(s.endpoints[0].text() == "tcp://127.0.0.1:7777");  // wins over the socket
    CHECK(s.engine.state_directory == "/var/vcap/depot");
    CHECK(s.engine.network.pool == "10.1.0.0/22");
    CHECK(s.engine.network.deny_networks ==
          std::vector<std::string>{"10.0.0.0/8", "169.254.0.0/16"});
    CHECK(s.engine.default_grace_time == std::chrono::minutes(5));
    CHECK(s.engine.max_containers == 250);
    CHECK(s.engine.images.docker_registry == "mirror.example:5000");
    CHECK_FALSE(s.engine.allow_privileged);
    CHECK_FALSE(s.engine.swap_limit);
    CHECK(s.engine.destroy_on_start);
    CHECK(s.engine.no_new_privileges);
    CHECK(s.engine.network.allow_host_access);
    CHECK(s.engine.network.mtu == 1400);
    CHECK(s.level == base::log::Level::error);
    CHECK(out->ignored.size() == 5);
}

TEST_CASE("Garden's socket mode and id mapping are switches of their own") {
    const auto out = given({"--compat-garden-socket-mode", "--compat-garden-id-mapping"});
    REQUIRE(out);
    CHECK(out->settings.endpoints.at(0).mode == 0777);
    CHECK(out->settings.engine.garden_id_mapping);
}

TEST_CASE(
        "the secure default: a socket for root's group only, shared subnets isolated, nothing of "
        "compat") {
    const auto out = given({});
    REQUIRE(out);
    const auto& s = out->settings;
    REQUIRE(s.endpoints.size() == 1);
    CHECK(s.endpoints[0].mode == 0660);
    CHECK(s.engine.network.isolate_shared_subnets);
    CHECK_FALSE(s.engine.garden_inheritable);
    CHECK_FALSE(s.engine.garden_id_mapping);
    CHECK_FALSE(s.garden_socket_mode);
    CHECK_FALSE(s.debug_endpoint);
}

TEST_CASE("a wrong setting names the flag, the value and the limit") {
    CHECK(error_of({"--tag", "abc"}) == "--tag: \"abc\" has more than 2 characters");
    CHECK(error_of({"--tag", "A"}) == "--tag: \"A\" has characters other than a-z and 0-9");
    CHECK(error_of({"--socket-mode", "0600", "--compat-garden-socket-mode"}) ==
          "--socket-mode: \"0600\" is given together with --compat-garden-socket-mode");
    CHECK(error_of({"--socket-mode", "rw"}) ==
          "--socket-mode: \"rw\" is not an octal number up to 0777");
    CHECK(error_of({"--mtu", "9000"}) == "--mtu: 9000 is not in 0 to 1500");
    CHECK(error_of({"--workers", "3"}) == "--workers: 3 is not in 16 to 4096");
    CHECK(error_of({"--depot", "relative"}) == "--depot: \"relative\" is not an absolute path");
    CHECK(error_of({"--bind-port", "7777"}) == "--bind-port: 7777 given without --bind-ip");
    CHECK(error_of({"--listen", "tls://127.0.0.1:1"}).find("--tls-certificate") !=
          std::string::npos);
    CHECK(error_of({"--preloaded-image", "busybox"}) ==
          "--preloaded-image: \"busybox\" is not NAME=URI");
    CHECK(error_of({"--socket-group", "no-such-group-here"}) ==
          "--socket-group: no group \"no-such-group-here\" here");
    CHECK(error_of({"--mtu", "70000"}).find("--mtu") != std::string::npos);
    CHECK(error_of({"--shutdown-grace", "2000000h"}) ==
          "--shutdown-grace: 2000000h is not in 0 to 1h");
    CHECK(error_of({"--read-header-timeout", "0"}) ==
          "--read-header-timeout: 0 is not in 1ms to 1h");
    CHECK(error_of({"--default-grace-time", "2000000h"}) ==
          "--default-grace-time: 2000000h is not in 0 to 876600h");
    CHECK(error_of({"--default-grace-time", "nans"}).find("expected a number") !=
          std::string::npos);
    CHECK(error_of({"--cpu-entitlement-per-share", "nan"}).find("'nan' is not a number") !=
          std::string::npos);
    CHECK(error_of({"--unknown-flag"}).find("--unknown-flag") != std::string::npos);
}

TEST_CASE("the manual page and the document of the configuration name every setting") {
    Settings settings;
    base::config::Schema schema(garden::server::schema_options());
    garden::server::declare(schema, settings);
    const auto markdown = document("docs/configuration.md");
    const auto page = document("docs/man/gardend.8");
    for (const auto& item : schema.items()) {
        INFO(item.names.flag);
        CHECK(markdown.find("`" + item.names.key + "` | `--" + item.names.flag + "`") !=
              std::string::npos);
        std::string escaped = "\\-\\-";
        for (const char c : item.names.flag) escaped += c == '-' ? "\\-" : std::string(1, c);
        CHECK(page.find(".BI " + escaped + " ") != std::string::npos);
        CHECK(page.find(schema.variable(item)) != std::string::npos);
    }
}

TEST_CASE("a configuration file of Garden's server starts gardend") {
    const std::string path = "/tmp/cloche-settings-" + std::to_string(::getpid()) + ".ini";
    std::ofstream(path) << "; of an operator\n[server]\n  bind-ip = 127.0.0.1\n  bind-port = 7777\n"
                           "  time-format = rfc3339\n  allow-host-access = true\n  skip-setup =\n"
                           "  deny-network = 10.0.0.0/8\n  deny-network = \"169.254.0.0/16\"\n"
                           "  tag = aa\n  tag = bb\n  uid-map-start = 1\n";
    const auto out = given({"server", "--config", path, "--bind-port", "8888"});
    (void)::unlink(path.c_str());
    REQUIRE(out);
    CHECK(out->settings.endpoints.at(0).text() == "tcp://127.0.0.1:8888");  // the flag wins
    CHECK(out->settings.engine.network.allow_host_access);
    CHECK(out->settings.engine.network.deny_networks ==
          std::vector<std::string>{"10.0.0.0/8", "169.254.0.0/16"});
    CHECK(out->settings.engine.tag == "bb");
    CHECK(out->ignored.size() == 3);
}

TEST_CASE("what an operator sets for every container of a host is checked and handed on") {
    Settings settings;
    settings.tcp_keepalive_time = 30;
    settings.tcp_retries2 = 4;
    settings.engine.blockio_weight = 10;
    settings.device_cgroup_rules = {"c 10:200 rwm", "b 7:0 r"};
    REQUIRE(settle(settings));
    CHECK(settings.engine.sysctls ==
          std::map<std::string, std::string>{
                  {"net.ipv4.tcp_keepalive_time", "30"}, {"net.ipv4.tcp_retries2", "4"}});
    REQUIRE(settings.engine.privileged_devices.size() == 2);
    CHECK(settings.engine.privileged_devices[1].major == 7U);
    settings.engine.blockio_weight = 9;
    CHECK_FALSE(settle(settings));
    settings.engine.blockio_weight = 0;
    settings.device_cgroup_rules = {"b *:* rwm"};  // DEV-05
    CHECK_FALSE(settle(settings));
}
