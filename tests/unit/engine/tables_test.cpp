#include "garden/engine/chores.hpp"
#include "garden/engine/grace_timers.hpp"
#include "garden/engine/process_table.hpp"
#include "garden/engine/registry.hpp"
#include "garden/engine/uuid.hpp"

#include <future>
#include <set>

#include <catch2/catch.hpp>

using namespace garden;
using namespace std::chrono_literals;

namespace {

ProcessRow row(std::string id) {
    return {.id = std::move(id),
            .user = "",
            .argv = {},
            .exited = false,
            .exit_code = 0,
            .host_pid = 0};
}

}  // namespace

TEST_CASE("every waiter of a process gets its exit code once, early or late") {
    ProcessTable table;
    table.reserve(row("p"), false, false).value();
    std::vector<int> codes;
    const auto note = [&](base::Result<std::int32_t> code) { codes.push_back(code.value()); };
    table.wait("p", note);
    table.wait("p", note);
    CHECK(codes.empty());
    table.exited("p", 42);
    table.exited("p", 7);  // replayed: ignored
    table.wait("p", note);
    CHECK(codes == std::vector<int>{42, 42, 42});
}

TEST_CASE("an id in use is refused, also after its exit, until it is dropped") {
    ProcessTable table;
    table.reserve(row("p"), false, false).value();
    CHECK(table.reserve(row("p"), false, false).error().text == "process ID 'p' already in use");
    table.drop("p");
    CHECK(table.reserve(row("p"), false, false));
}

TEST_CASE("an exit that is told before the start is known is not lost") {
    ProcessTable table;
    table.reserve(row("p"), false, false).value();
    table.exited("p", 3);
    table.started("p", 1234);
    int code = -1;
    table.wait("p", [&](auto result) { code = result.value(); });
    CHECK(code == 3);
}

TEST_CASE("the end of a container answers everybody who waits, and unknown processes are named") {
    ProcessTable table;
    table.reserve(row("p"), false, false).value();
    int code = 0;
    table.wait("p", [&](auto result) { code = result.value(); });
    table.end_all(137);
    CHECK(code == 137);
    std::string text;
    table.wait("q", [&](auto result) { text = result.error().text; });
    CHECK(text == "unknown process: q");
}

TEST_CASE("only the oldest exited processes are given up") {
    ProcessTable table;
    for (const char* id : {"a", "b", "c", "d"}) table.reserve(row(id), false, false).value();
    table.exited("c", 0);
    table.exited("a", 0);
    table.exited("b", 0);
    CHECK(table.take_stale(2) == std::vector<std::string>{"c"});
    CHECK(table.take_stale(2).empty());
    CHECK(table.contains("d"));
    CHECK_FALSE(table.contains("c"));
}

TEST_CASE("a handle is taken from create to destroy, and the number of containers is bounded") {
    Registry registry(2);
    registry.add(Handle("a")).value();
    CHECK(registry.add(Handle("a")).error().text == "Handle 'a' already in use");
    registry.add(Handle("b")).value();
    CHECK(registry.add(Handle("c")).error().text == "max containers reached");
    registry.remove(Handle("a"));
    CHECK(registry.add(Handle("c")));
    CHECK(registry.find(Handle("a")).error().text == "unknown handle: a");
}

TEST_CASE("a countdown expires once, stands still while paused, and restarts from the full time") {
    std::promise<void> expired;
    std::atomic<int> times{0};
    GraceTimers timers([&](const Handle&) {
        if (++times == 1) expired.set_value();
    });
    auto done = expired.get_future();
    timers.arm(Handle("a"), 40ms);
    auto pause = timers.pause(Handle("a"));
    CHECK(done.wait_for(120ms) == std::future_status::timeout);
    const auto before = std::chrono::steady_clock::now();
    pause.reset();
    REQUIRE(done.wait_for(5s) == std::future_status::ready);
    CHECK(std::chrono::steady_clock::now() - before >= 40ms);
    CHECK(done.wait_for(0ms) == std::future_status::ready);
    CHECK(times == 1);
}

TEST_CASE("zero grace time means never, and a disarmed countdown is gone") {
    std::atomic<int> times{0};
    GraceTimers timers([&](const Handle&) { ++times; });
    timers.arm(Handle("a"), 0ns);
    timers.arm(Handle("endless"), std::chrono::nanoseconds::max());  // no clock reaches it
    timers.pause(Handle("endless")).reset();
    timers.arm(Handle("b"), 30ms);
    timers.disarm(Handle("b"));
    CHECK(timers.pause(Handle("b")) == nullptr);
    std::promise<void> later;
    GraceTimers other([&](const Handle&) { later.set_value(); });
    other.arm(Handle("c"), 80ms);
    REQUIRE(later.get_future().wait_for(5s) == std::future_status::ready);
    CHECK(times == 0);
}

TEST_CASE("a chore is repeated until it is done, or given up when patience is over") {
    Chores chores;
    std::atomic<int> looks{0};
    std::atomic<bool> given_up{false};
    chores.repeat([&] { return ++looks == 3; }, 10s, [] {});
    chores.repeat([] { return false; }, 50ms, [&] { given_up = true; });
    std::atomic<bool> ran{false};
    chores.once([&] { ran = true; });
    REQUIRE(chores.drain(10s));
    CHECK(looks == 3);
    CHECK(given_up);
    CHECK(ran);
}

TEST_CASE("random ids have the form of a version 4 UUID and differ") {
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const auto id = random_uuid();
        REQUIRE(id.size() == 36);
        CHECK(id[14] == '4');
        CHECK(std::string("89ab").find(id[19]) != std::string::npos);
        seen.insert(id);
    }
    CHECK(seen.size() == 100);
}
