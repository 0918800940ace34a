// Settings of celld: what belongs together, and that the documents name every setting.
#include "cell/settings.hpp"

#include "base/sys/file.hpp"

#include <catch2/catch.hpp>

using cell::Settings;

namespace {

base::Result<Settings> given(const std::vector<std::string>& arguments) {
    Settings settings;
    base::config::Schema schema(cell::schema_options());
    cell::declare(schema, settings);
    TRY(schema.load(arguments, {{"CELLD_CONFIG", ""}}));
    TRY(cell::settle(settings));
    return settings;
}

std::string error_of(const std::vector<std::string>& arguments) {
    const auto out = given(arguments);
    REQUIRE_FALSE(out);
    return out.error().text;
}

std::string document(const std::string& path) {
    auto text = base::sys::read_host_file((std::string(CLOCHE_SOURCE_DIR) + "/" + path).c_str());
    REQUIRE(text);
    return *text;
}

}  // namespace

TEST_CASE("without a word celld is a cell of this host on loopback") {
    const auto out = given({});
    REQUIRE(out);
    CHECK_FALSE(out->cell_id.empty());
    CHECK(out->executor.cell_id == out->cell_id);
    CHECK_FALSE(out->executor.memory_mb);
    CHECK(out->executor.max_containers == 250);
    CHECK(out->cache_directory == "/var/lib/cloche-cell/cache");
    REQUIRE(out->rep_endpoints.size() == 1);
    CHECK(out->rep_endpoints[0].port == 1800);
}

TEST_CASE("what is given reaches executor and rep") {
    const auto out =
            given({"--cell-id", "c1", "--memory-mb", "100", "--preloaded-rootfs", "a",
                   "--preloaded-rootfs", "b=docker:///b", "--container-environment", "A=B=C",
                   "--evacuation-budget", "5s"});
    REQUIRE(out);
    CHECK(out->rep.cell.id == "c1");
    CHECK(out->executor.memory_mb == 100);
    CHECK(out->rep.cell.stacks.at("a").empty());
    CHECK(out->rep.cell.stacks.at("b") == "docker:///b");
    REQUIRE(out->executor.environment.size() == 1);
    CHECK(out->executor.environment[0].value == "B=C");
    CHECK(out->rep.evacuation.lrp_budget == std::chrono::seconds(5));
}

TEST_CASE("bad values name their key") {
    CHECK(error_of({"--memory-mb", "much"}).find("resources.memory_mb") != std::string::npos);
    CHECK(error_of({"--memory-mb", "-1"}).find("-1 is below 0") != std::string::npos);
    CHECK(error_of({"--container-environment", "A"}).find("'A' is not NAME=VALUE") !=
          std::string::npos);
    CHECK(error_of({"--start-workers", "0"}).find("must not be 0") != std::string::npos);
    CHECK(error_of({"--executor-socket-mode", "0999"}).find("'0999' is not octal") !=
          std::string::npos);
    CHECK(error_of({"--garden", "gopher://x"}).find("garden.endpoint") != std::string::npos);
}

TEST_CASE("an authority of instance certificates is a certificate and a key") {
    CHECK(error_of({"--identity-ca-key", "k"}).find("'' and 'k', must be both or none") !=
          std::string::npos);
    CHECK(error_of({"--identity-validity", "10ms"}).find("identity.validity: 10ms") !=
          std::string::npos);
    CHECK(given({})->executor.identity.ca_certificate_file.empty());
    CHECK(given({})->executor.identity.validity == std::chrono::hours(24));
    const auto out =
            given({"--identity-ca-certificate", "c", "--identity-ca-key", "k",
                   "--identity-validity", "20s", "--identity-key-type", "rsa3072"});
    REQUIRE(out);
    CHECK(out->executor.identity.ca_certificate_file == "c");
    CHECK(out->executor.identity.validity == std::chrono::seconds(20));
    CHECK(out->executor.identity.key_type == executor::KeyType::rsa3072);
}

TEST_CASE("a cell has no brain unless told") {
    const auto out = given({});
    REQUIRE(out);
    CHECK(out->brain.kind == cell::BrainKind::none);
    const base::SystemClock clock;
    CHECK_FALSE(cell::make_brain(out->brain, clock));
    const auto memory = given({"--brain", "memory"});
    REQUIRE(memory);
    CHECK(cell::make_brain(memory->brain, clock));
    const auto cluster =
            given({"--brain", "http://10.0.0.1:8889", "--brain", "http://10.0.0.2:8889"});
    REQUIRE(cluster);
    CHECK(cluster->brain.kind == cell::BrainKind::cluster);
    CHECK(cluster->brain.endpoints.size() == 2);
    CHECK(cell::make_brain(cluster->brain, clock));
    CHECK(error_of({"--brain", "none", "--brain", "http://10.0.0.1:8889"}).find("'none'") !=
          std::string::npos);
    CHECK(error_of({"--brain", "gopher"}).find("brain.endpoint: 'gopher'") != std::string::npos);
}

TEST_CASE("plain TCP beyond loopback needs a word, TLS its files") {
    CHECK(error_of({"--rep-listen", "tcp://0.0.0.0:1800"}).find("beyond loopback") !=
          std::string::npos);
    CHECK(given({"--rep-listen", "tcp://0.0.0.0:1800", "--rep-plain-tcp"}));
    CHECK(error_of({"--rep-network-listen", "tls://0.0.0.0:1801"}).find("rep.tls_client_ca") !=
          std::string::npos);
    const auto out =
            given({"--rep-network-listen", "tls://0.0.0.0:1801", "--rep-tls-certificate", "c",
                   "--rep-tls-key", "k", "--rep-tls-client-ca", "a"});
    REQUIRE(out);
    CHECK(out->rep_network_endpoints[0].tls.require_client_certificate);
}

TEST_CASE("the manual page and the document of the configuration name every setting of celld") {
    Settings settings;
    base::config::Schema schema(cell::schema_options());
    cell::declare(schema, settings);
    const auto markdown = document("docs/configuration-celld.md");
    const auto page = document("docs/man/celld.8");
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
