#include "base/config.hpp"

#include "base/sys/file.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

using base::Errc;
using base::config::Loaded;
using base::config::Schema;

namespace {

struct Settings {
    std::string pool = "10.254.0.0/22";
    std::vector<std::string> deny;
    bool host_access = false;
    std::uint16_t port = 7777;
    std::uint64_t most = 0;
    double share = 0;
    std::chrono::nanoseconds grace{0};
    std::string level = "info";
};

struct Fixture {
    Settings settings;
    Schema schema{
            {.program = "testd",
             .about = "A test.",
             .environment = "TESTD_",
             .default_file = "",
             .version = "testd 1"}};
    std::string directory;

    Fixture() {
        schema.add(
                {.key = "log_level",
                 .flag = "log-level",
                 .help = "Level.",
                 .value = "",
                 .choices = {"info", "error"}},
                settings.level);
        schema.add(
                {.key = "network.pool",
                 .flag = "network-pool",
                 .help = "Pool.",
                 .value = "CIDR",
                 .choices = {}},
                settings.pool);
        schema.add(
                {.key = "network.deny",
                 .flag = "deny-network",
                 .help = "Denied.",
                 .value = "CIDR",
                 .choices = {}},
                settings.deny);
        schema.add(
                {.key = "network.host_access",
                 .flag = "allow-host-access",
                 .help = "Allow.",
                 .value = "",
                 .choices = {}},
                settings.host_access);
        schema.add(
                {.key = "http.port",
                 .flag = "bind-port",
                 .help = "Port.",
                 .value = "",
                 .choices = {}},
                settings.port);
        schema.add(
                {.key = "most",
                 .flag = "max-containers",
                 .help = "Most.",
                 .value = "",
                 .choices = {}},
                settings.most);
        schema.add(
                {.key = "share", .flag = "share", .help = "Share.", .value = "", .choices = {}},
                settings.share);
        schema.add(
                {.key = "grace",
                 .flag = "default-grace-time",
                 .help = "Grace.",
                 .value = "",
                 .choices = {}},
                settings.grace);
        schema.ignore("time-format", true);
        schema.ignore("skip-setup", false);
        schema.command("cleanup", "Clean up.");
        directory = "/tmp/config_test." + std::to_string(::getpid());
        REQUIRE(base::sys::ensure_directory(directory, 0700));
    }

    ~Fixture() { (void)base::sys::remove_tree_at(base::FdRef{-100}, directory); }

    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    std::string file(std::string_view text) const {
        auto path = directory + "/c.toml";
        auto fd = base::sys::open_host(path, 01 | 0100 | 01000, 0600).value();
        REQUIRE(base::sys::write_all(fd, text));
        return path;
    }

    std::string why(
            const std::vector<std::string>& arguments,
            const std::map<std::string, std::string>& environment = {}) {
        auto loaded = schema.load(arguments, environment);
        REQUIRE(!loaded);
        return loaded.error().text;
    }
};

}  // namespace

TEST_CASE_METHOD(
        Fixture, "a flag beats the environment, that beats the file, that beats the default") {
    const auto path =
            file("most = 1\nlog_level = \"error\"\n[network]\npool = \"file\"\ndeny = [\"a\", "
                 "\"b\"]\nhost_access = true\n[http]\nport = 1\n");
    const auto loaded = schema.load({"--config", path, "--bind-port", "3", "--deny-network", "x",
                                     "--deny-network=y"},
                                    {{"TESTD_BIND_PORT", "2"},
                                     {"TESTD_NETWORK_POOL", "env"},
                                     {"TESTD_DENY_NETWORK", "p,q"}})
                                .value();
    CHECK(loaded.next == Loaded::Next::run);
    CHECK(loaded.file == path);
    CHECK(settings.port == 3);
    CHECK(settings.pool == "env");
    CHECK(settings.most == 1);
    CHECK(settings.host_access);
    CHECK(settings.level == "error");
    CHECK(settings.deny == std::vector<std::string>{"x", "y"});
    CHECK(settings.grace.count() == 0);
    const auto text = schema.print();
    CHECK(text.find("pool = \"env\"  # environment TESTD_NETWORK_POOL\n") != std::string::npos);
    CHECK(text.find("most = 1  # file " + path + " line 1\n") != std::string::npos);
    CHECK(text.find("port = 3  # flag --bind-port\n") != std::string::npos);
    CHECK(text.find("grace = \"0\"  # default\n") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "what print says reads back to the same settings") {
    settings.pool = "quote\"and\\slash";
    settings.deny = {"1.2.3.0/24"};
    settings.grace = std::chrono::seconds(90);
    settings.share = 0.5;
    const auto printed = schema.print();
    Fixture other;
    REQUIRE(other.schema.load({"--config", other.file(printed)}, {}));
    CHECK(other.settings.pool == settings.pool);
    CHECK(other.settings.deny == settings.deny);
    CHECK(other.settings.grace == settings.grace);
    CHECK(other.settings.share == 0.5);
}

TEST_CASE_METHOD(Fixture, "an unknown key is an error with its line") {
    const auto path = file("most = 1\n\n[network]\npoool = \"x\"\n");
    CHECK(why({"--config", path}) == path + " line 4: unknown key network.poool");
}

TEST_CASE_METHOD(Fixture, "a bad value is an error with its place") {
    CHECK(why({"--config", file("[http]\nport = 70000\n")})
                  .find("line 2: http.port: value: '70000' is out of range") != std::string::npos);
    CHECK(why({"--config", file("most = [1, 2]\n")}).find("expected one value, got 2") !=
          std::string::npos);
    CHECK(why({"--config", file("most = \n")}).find("line 1") != std::string::npos);
    CHECK(why({"--bind-port", "x"}) == "--bind-port: value: 'x' is not a number");
    CHECK(why({"--log-level", "loud"}) == "--log-level: 'loud': expected info, error");
    CHECK(why({}, {{"TESTD_ALLOW_HOST_ACCESS", "maybe"}}) ==
          "environment variable TESTD_ALLOW_HOST_ACCESS: 'maybe': expected true or false");
    CHECK(why({"--default-grace-time", "5"}).find("expected a unit") != std::string::npos);
    CHECK(why({"--no-such-flag"}).find("--no-such-flag") != std::string::npos);
    CHECK(why({"--config", directory + "/absent"}).find("no such file") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "JSON is a configuration too") {
    REQUIRE(schema.load(
            {"--config",
             file(R"({"most": 7, "network": {"deny": ["a"], "host_access": true}, "share": 0.25})")},
            {}));
    CHECK(settings.most == 7);
    CHECK(settings.deny == std::vector<std::string>{"a"});
    CHECK(settings.host_access);
    CHECK(settings.share == 0.25);
    CHECK(why({"--config", file(R"({"network": {"poool": 1}})")})
                  .find("unknown key network.poool") != std::string::npos);
    CHECK(why({"--config", file(R"({"network": )")}).find("invalid JSON") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "switches may stand alone or have a value") {
    REQUIRE(schema.load({"--allow-host-access", "--bind-port", "9"}, {}));
    CHECK(settings.host_access);
    CHECK(settings.port == 9);
    REQUIRE(schema.load({"--allow-host-access=false"}, {}));
    CHECK(!settings.host_access);
}

TEST_CASE_METHOD(Fixture, "questions are answered without running") {
    auto loaded = schema.load({"--version"}, {}).value();
    CHECK(loaded.next == Loaded::Next::done);
    CHECK(loaded.text == "testd 1\n");
    loaded = schema.load({"--help"}, {}).value();
    CHECK(loaded.text.find("--network-pool CIDR") != std::string::npos);
    CHECK(loaded.text.find("TESTD_NETWORK_POOL") != std::string::npos);
    CHECK(loaded.text.find("time-format") == std::string::npos);
    CHECK(schema.load({"--check-config"}, {}).value().next == Loaded::Next::done);
    CHECK(schema.load({"--print-config"}, {}).value().text == schema.print());
}

TEST_CASE_METHOD(Fixture, "a command may stand before or behind the flags") {
    CHECK(schema.load({"cleanup", "--max-containers", "5"}, {}).value().command == "cleanup");
    CHECK(settings.most == 5);
    CHECK(schema.load({"--max-containers", "6", "cleanup"}, {}).value().command == "cleanup");
    CHECK(settings.most == 6);
}

TEST_CASE_METHOD(Fixture, "flags of the other server are taken and remembered") {
    REQUIRE(schema.load({"--time-format", "rfc3339", "--skip-setup", "--max-containers", "2"}, {}));
    CHECK(schema.ignored() == std::vector<std::string>{"skip-setup", "time-format"});
    CHECK(settings.most == 2);
}
