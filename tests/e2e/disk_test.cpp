// (d): no room left. Creates fail and say so, what runs goes on, and room gained is room used.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/e2e/trouble.hpp"
#include "tests/support/needs.hpp"

#include <algorithm>
#include <iostream>

#include <catch2/catch.hpp>

using std::chrono::milliseconds;
using test::Daemon;
using test::DaemonOptions;
using test::patience;
using test::process;
using test::Reader;
using test::run_to_end;
using test::SmallDisk;

namespace {

const char* const kTicker = "i=0; while true; do echo line $i; i=$((i+1)); usleep 50000; done";

bool says_no_space(const std::string& text) {
    std::string lower = text;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return lower.find("no space left") != std::string::npos ||
           lower.find("disk quota exceeded") != std::string::npos;
}

void check_ticks(const Reader& reader) {
    const auto seen = reader.lines().size();
    CHECK(reader.wait_for(
            "line " + std::to_string(seen + 2) + "\n", patience(milliseconds(5'000))));
    const auto lines = reader.lines();
    for (std::size_t i = 0; i < lines.size(); ++i) REQUIRE(lines[i] == "line " + std::to_string(i));
}

// How many of `count` creates fail; each failure must say why.
int refused_creates(Daemon& daemon, const std::string& prefix, int count) {
    int refused = 0;
    for (int i = 0; i < count; ++i) {
        const auto made = daemon.client().create(daemon.spec(prefix + std::to_string(i)));
        if (made) continue;
        ++refused;
        CAPTURE(made.error().text);
        CHECK(says_no_space(made.error().text));
    }
    return refused;
}

}  // namespace

TEST_CASE("a full store: create fails clearly, the rest lives, room gained is used") {
    NEEDS(root, nft, loop);
    SmallDisk disk(SmallDisk::Kind::ext4, 48);
    Daemon daemon({.store = disk.path() + "/store"});
    daemon.create("old");
    daemon.create("other");
    auto stream = daemon.client().run("old", process({"sh", "-c", kTicker}, "p")).value();
    const Reader ticker(stream.open_output(false).value());
    disk.fill();

    CHECK(refused_creates(daemon, "new-", 3) == 3);
    CHECK(daemon.client().list({{"garden.state", "all"}}).value().size() == 2);
    check_ticks(ticker);
    const auto echo = run_to_end(daemon.client(), "old", process({"echo", "fine"}));
    CHECK(echo.error == "");
    CHECK(echo.out == "fine\n");
    // Inside it is full as well, and that is the container's own affair.
    const auto inside = run_to_end(
            daemon.client(), "old",
            process({"dd", "if=/dev/zero", "of=/var/big", "bs=65536", "count=64"}));
    CHECK(inside.error == "");
    CHECK(inside.code != 0);
    CHECK(daemon.client().destroy("other"));

    disk.fill();
    daemon.restart();
    CHECK(daemon.client().list().value() == std::vector<std::string>{"old"});
    check_ticks(ticker);
    CHECK(run_to_end(daemon.client(), "old", process({"echo", "still"})).out == "still\n");

    disk.free();
    daemon.create("late");
    CHECK(run_to_end(daemon.client(), "late", process({"echo", "fine"})).out == "fine\n");
    CHECK(daemon.findings() == std::vector<std::string>{});
}

TEST_CASE("a full state directory: create fails clearly, destroy works, nothing is forgotten") {
    NEEDS(root, nft);
    SmallDisk disk(SmallDisk::Kind::tmpfs, 1);
    Daemon daemon({.state = disk.path() + "/state"});
    daemon.create("old");
    daemon.create("other");
    daemon.client().set_property("old", "key", "before").value();
    auto stream = daemon.client().run("old", process({"sh", "-c", kTicker}, "p")).value();
    const Reader ticker(stream.open_output(false).value());
    disk.fill();

    CHECK(refused_creates(daemon, "new-", 3) == 3);
    check_ticks(ticker);
    // What cannot be remembered is not promised: either it fails and says so, or it holds.
    const auto ran = run_to_end(daemon.client(), "old", process({"echo", "fine"}));
    if (!ran.error.empty()) CHECK(says_no_space(ran.error));
    if (ran.error.empty()) CHECK(ran.out == "fine\n");
    const auto set = daemon.client().set_property("old", "key", "after");
    if (!set) CHECK(says_no_space(set.error().text));
    const std::string expected = set ? "after" : "before";
    CHECK(daemon.client().property("old", "key").value() == expected);
    CHECK(daemon.client().info("old").value().state == "active");
    CHECK(daemon.client().destroy("other"));
    disk.fill();

    daemon.restart();
    CHECK(daemon.client().list().value() == std::vector<std::string>{"old"});
    CHECK(daemon.client().property("old", "key").value() == expected);
    check_ticks(ticker);
    CHECK(daemon.client().attach("old", "p"));

    disk.free();
    CHECK(run_to_end(daemon.client(), "old", process({"echo", "fine"})).out == "fine\n");
    daemon.create("late");
    CHECK(run_to_end(daemon.client(), "late", process({"echo", "fine"})).out == "fine\n");
    CHECK(daemon.findings() == std::vector<std::string>{});
    daemon.client().destroy("old").value();
}

TEST_CASE("a store that fills up in the middle of creates leaves no half of any") {
    NEEDS(root, nft, loop);
    // Room for the image and some volumes; each container then eats from what is left.
    SmallDisk disk(SmallDisk::Kind::ext4, 24);
    Daemon daemon({.store = disk.path() + "/store"});
    int made = 0;
    int refused = 0;
    for (int i = 0; i < 12; ++i) {
        const auto handle = "n" + std::to_string(i);
        const auto answer = daemon.client().create(daemon.spec(handle));
        if (!answer) {
            ++refused;
            CAPTURE(answer.error().text);
            CHECK(says_no_space(answer.error().text));
            continue;
        }
        ++made;
        (void)run_to_end(
                daemon.client(), handle,
                process({"dd", "if=/dev/zero", "of=/var/big", "bs=65536", "count=40"}));
    }
    std::cout << "filling store: " << made << " made, " << refused << " refused" << std::endl;
    CHECK(made > 0);
    CHECK(daemon.client().list({{"garden.state", "all"}}).value().size() ==
          static_cast<std::size_t>(made));
    CHECK(daemon.findings() == std::vector<std::string>{});
    daemon.restart();
    const auto handles = daemon.client().list().value();
    for (const auto& handle : handles) CHECK(daemon.client().destroy(handle));
    daemon.create("again");
}
