#include "base/sys/file.hpp"
#include "engine_fixture.hpp"
#include "tests/support/needs.hpp"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>

using namespace garden;
using test::EngineFixture;

namespace {

// The shim of a container: the parent of its first process.
std::int32_t shim_of(EngineFixture& fixture, const Handle& handle) {
    const auto process =
            fixture.engine().run(handle, EngineFixture::process({"sleep", "600"})).value();
    const auto rows = fixture.engine().processes(handle).value();
    const auto row = std::find_if(
            rows.begin(), rows.end(), [&](const auto& r) { return r.id == process.process_id; });
    REQUIRE(row != rows.end());
    std::ifstream status("/proc/" + std::to_string(row->host_pid) + "/status");
    std::string word;
    std::int32_t parent = 0;
    while (status >> word) {
        if (word == "PPid:") {
            status >> parent;
            break;
        }
    }
    REQUIRE(parent > 1);
    return parent;
}

// A process whose parent was killed may stay a zombie until the host's first process reaps it.
bool runs(std::int32_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
    std::string number;
    std::string name;
    std::string state;
    status >> number >> name >> state;
    return status && state != "Z" && state != "X";
}

}  // namespace

TEST_CASE(
        "a restart keeps containers and processes, and an attach afterwards gets output and exit "
        "code") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("survivor");
    fixture.engine().set_property(handle, "key", "value").value();
    auto process =
            fixture.engine()
                    .run(handle,
                         EngineFixture::process({"sh", "-c", "read line; echo got $line; exit 7"}))
                    .value();
    const auto ip = fixture.engine().info(handle).value().container_ip;
    auto input = std::move(
            process.input);  // as of a client that lives on; the engine's own end stays in the shim
    fixture.restart();
    CHECK(fixture.engine().list({}) == std::vector<Handle>{handle});
    CHECK(fixture.engine().property(handle, "key").value() == "value");
    CHECK(fixture.engine().info(handle).value().container_ip == ip);
    auto again = fixture.engine().attach(handle, process.process_id).value();
    base::sys::write_all(again.input, "words\n").value();
    const auto output = fixture.finish(handle, again);
    CHECK(output.out == "got words\n");
    CHECK(output.exit_code == 7);
    const auto other = fixture.create("newcomer");
    CHECK(fixture.engine().info(other).value().container_ip != ip);
}

TEST_CASE("an exit while no gardend runs is known to the next one") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("quiet");
    const auto process =
            fixture.engine()
                    .run(handle, EngineFixture::process({"sh", "-c", "sleep 0.3; exit 9"}))
                    .value();
    fixture.restart();
    CHECK(fixture.wait(handle, process.process_id) == 9);
    const auto rows = fixture.engine().processes(handle).value();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].argv == std::vector<std::string>{"sh", "-c", "sleep 0.3; exit 9"});
}

TEST_CASE(
        "a killed shim: the container is reported dead, its processes are gone, destroy cleans "
        "up") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("victim");
    const auto bystander = fixture.create("bystander");
    const auto shim = shim_of(fixture, handle);
    const auto process = fixture.engine().processes(handle).value().at(0);
    REQUIRE(::kill(shim, SIGKILL) == 0);
    CHECK(fixture.wait(handle, process.id) == 137);
    const auto dead = [&] { return fixture.engine().info(handle).value().state == "stopped"; };
    for (int i = 0; i < 200 && !dead(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const auto info = fixture.engine().info(handle).value();
    CHECK(info.state == "stopped");
    CHECK(info.events == std::vector<std::string>{"container died: garden-shim was killed"});
    CHECK_FALSE(runs(process.host_pid));
    CHECK(fixture.engine().run(handle, EngineFixture::process({"true"})).error().kind ==
          base::Errc::conflict);
    CHECK(fixture.run(bystander, {"echo", "fine"}).out == "fine\n");
    fixture.engine().destroy(handle).value();
}

TEST_CASE(
        "a container whose shim died while no gardend ran is adopted as dead, and can be "
        "destroyed") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("lost");
    const auto shim = shim_of(fixture, handle);
    REQUIRE(::kill(shim, SIGKILL) == 0);
    fixture.restart();
    CHECK(fixture.engine().info(handle).value().state == "stopped");
    fixture.engine().destroy(handle).value();
}

TEST_CASE("exit codes outlive a killed shim, and a restart after that") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("noted");
    auto spec = EngineFixture::process({"sh", "-c", "exit 9"});
    spec.id = "told";
    fixture.engine().run(handle, spec).value();
    CHECK(fixture.wait(handle, "told") == 9);
    const auto shim = shim_of(fixture, handle);
    std::string running;
    const auto rows = fixture.engine().processes(handle).value();
    for (const auto& row : rows) {
        if (row.id != "told") running = row.id;
    }
    REQUIRE(::kill(shim, SIGKILL) == 0);
    for (int restarts = 0; restarts < 2; ++restarts) {
        fixture.restart();
        CHECK(fixture.wait(handle, "told") == 9);
        CHECK(fixture.wait(handle, running) == 137);
    }
    fixture.engine().destroy(handle).value();
}

TEST_CASE("a half-made container of a killed gardend is taken down at start") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto handle = fixture.create("half");
    // As if gardend had been killed right before it recorded the end of the create.
    const auto path = fixture.config().state_directory + "/depot/half/container.json";
    auto text = base::sys::read_host_file(path).value();
    const auto at = text.find("\"stage\":1");
    REQUIRE(at != std::string::npos);
    text.replace(at, 9, "\"stage\":0");
    std::ofstream(path) << text;
    fixture.restart();
    CHECK(fixture.engine().list({{"garden.state", "all"}}).empty());
    CHECK(fixture.findings().empty());
}

TEST_CASE("a torn record is taken down by its name alone") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    fixture.create("torn");
    std::ofstream(fixture.config().state_directory + "/depot/torn/container.json")
            << "{\"handle\": \"torn\", ";
    fixture.restart();
    CHECK(fixture.engine().list({{"garden.state", "all"}}).empty());
    CHECK(fixture.findings().empty());
}

TEST_CASE("a shim that does not answer at start delays nobody and loses nothing") {
    NEEDS(root, userns, nft);
    EngineFixture fixture;
    const auto asleep = fixture.create("asleep");
    const auto awake = fixture.create("awake");
    const auto process =
            fixture.engine().run(asleep, EngineFixture::process({"sleep", "600"})).value();
    const auto shim = shim_of(fixture, asleep);
    REQUIRE(::kill(shim, SIGSTOP) == 0);
    const auto before = std::chrono::steady_clock::now();
    fixture.restart();
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
    CHECK(fixture.engine().list({}).size() == 2);
    CHECK(fixture.engine().run(awake, EngineFixture::process({"true"})));
    const auto refused = fixture.engine().attach(asleep, process.process_id);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == base::Errc::unavailable);
    CHECK_THAT(refused.error().text, Catch::Contains("does not answer"));
    REQUIRE(::kill(shim, SIGCONT) == 0);
    bool joined = false;
    for (int i = 0; i < 100 && !joined; ++i) {
        joined = fixture.engine().attach(asleep, process.process_id).has_value();
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    CHECK(joined);
    CHECK(fixture.engine().info(asleep)->state == "active");
}
