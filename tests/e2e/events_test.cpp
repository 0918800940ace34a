// The event log when its disk is full (OBS-04): nothing waits, what is lost is counted, and the log
// says so as soon as it can.
#include "security/event_log_verify.hpp"
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/trouble.hpp"
#include "tests/support/needs.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

using test::Daemon;
using test::SmallDisk;

namespace {

constexpr int kCalls = 200;  // some 300 bytes each: more than the last block of the file has room

// Each is a line of the log, and is kept on another disk.
void change_something(Daemon& daemon, int times) {
    for (int i = 0; i < times; ++i)
        daemon.client().set_property("c", "key", std::to_string(i)).value();
}

template <class Check>
bool eventually(Check check) {
    for (int i = 0; i < 200; ++i) {
        if (check()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
}

std::vector<security::EventLine> lines_of(Daemon& daemon) {
    std::vector<security::EventLine> out;
    const auto page = daemon.client().event_log(0, 10'000).value();
    for (const auto& line : page.lines) out.push_back(security::parse_event_line(line).value());
    return out;
}

}  // namespace

TEST_CASE("OBS-04 a full disk loses events, which are counted and told when there is room again") {
    NEEDS(root, nft, loop);
    SmallDisk disk(SmallDisk::Kind::ext4, 48);
    Daemon daemon({.store = disk.path() + "/store"});
    daemon.create("c");
    change_something(daemon, 1);
    const auto before = daemon.client().event_log(0, 0).value();
    CHECK(before.lost == 0);
    CHECK(before.error.empty());

    disk.fill();
    change_something(daemon, kCalls);
    CHECK(eventually([&] { return daemon.client().event_log(0, 0).value().lost > 0; }));
    const auto full = daemon.client().event_log(0, 0).value();
    CHECK(full.lost <= static_cast<std::uint64_t>(kCalls));
    INFO(full.error);
    CHECK(full.error.find("o space left") != std::string::npos);

    disk.free();
    change_something(daemon, 2);
    const auto told = [&] {
        std::vector<security::EventLine> lost;
        for (auto& line : lines_of(daemon))
            if (line.event == "log.lost") lost.push_back(std::move(line));
        return lost;
    };
    CHECK(eventually([&] { return !told().empty(); }));
    const auto after = daemon.client().event_log(0, 0).value();
    CHECK(after.error.empty());
    std::uint64_t sum = 0;
    for (const auto& line : told()) {
        const auto at = line.details.find("\"events\":");
        REQUIRE(at != std::string::npos);
        sum += std::stoull(line.details.substr(at + 9));
    }
    CHECK(sum == after.lost);

    daemon.client().destroy("c").value();
    daemon.stop();
    const auto verdict = security::verify_event_log_at(daemon.store() + "/audit", "").value();
    CHECK_FALSE(verdict.fault);
    CHECK(verdict.last_seq == verdict.sealed_seq);
    daemon.start();
}
