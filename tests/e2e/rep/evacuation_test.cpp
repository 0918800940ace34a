// Emptying a cell: apps stay served until their replacement runs elsewhere (executor-rep §17.6,
// §19, lifecycle §6).
#include "tests/e2e/rep/cell.hpp"
#include "tests/support/needs.hpp"

#include <signal.h>

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

using namespace test;
using brain::api::LrpState;
using brain::api::Presence;

namespace {

void evacuate(Cell& cell) {
    auto http = cell.raw_http();
    base::http::ClientRequest request;
    request.method = "POST";
    request.target = "/evacuate";
    const auto answer = http.call(std::move(request));
    REQUIRE(answer);
    REQUIRE(answer->status == 202);
}

// What another cell of the same brain would do.
void run_elsewhere(Cell& cell, const brain::api::LrpKey& key) {
    const brain::api::InstanceKey other{.instance_guid = "replacement", .cell_id = "cell-2"};
    REQUIRE(cell.brain().claim_actual_lrp(key, other));
    brain::api::RunningLrp running;
    running.key = key;
    running.instance = other;
    running.net_info.address = "192.0.2.7";
    REQUIRE(cell.brain().start_actual_lrp(running));
}

std::size_t evacuating_records(Cell& cell) {
    std::size_t count = 0;
    for (const auto& lrp : cell.brain().all_lrps())
        if (lrp.presence == Presence::evacuating) ++count;
    return count;
}

}  // namespace

TEST_CASE("an evacuated app is served until its replacement runs") {
    NEEDS(root, nft);
    Cell cell;
    auto wanted = app("web", kServer);
    wanted.ports = {8080};
    REQUIRE(cell.brain().desire_lrp(wanted));
    CHECK(cell.place().empty());
    const auto lrp = cell.running("web");
    const auto port = lrp.net_info.ports.at(0).host_port;
    REQUIRE(soon([&] { return cell.answers(port); }));

    // Asks all the time, until told that the replacement has taken over.
    std::atomic<bool> over = false;
    std::atomic<int> good = 0, bad = 0;
    std::thread prober([&] {
        while (!over) ++(cell.answers(port) ? good : bad);
    });
    evacuate(cell);
    CHECK(soon([&] { return evacuating_records(cell) == 1; }));
    CHECK(cell.record("web").state == LrpState::unclaimed);
    CHECK(cell.rep().state()->state.evacuating);
    const auto refused = cell.must_perform(work_of(wanted));
    CHECK((refused.lrps.size() == 1 && refused.lrps[0].refusal == "cell is evacuating"));
    CHECK_FALSE(cell.rep().wait_left(patience(milliseconds(700))));  // several rounds
    // A brain that is away in between changes nothing.
    cell.link().away = true;
    CHECK_FALSE(cell.rep().wait_left(milliseconds(700)));
    cell.link().away = false;
    CHECK_FALSE(cell.rep().wait_left(milliseconds(500)));
    over = true;
    prober.join();
    CHECK(good > 10);
    CHECK(bad == 0);

    run_elsewhere(cell, lrp.key);
    const auto left = cell.rep().wait_left(patience(milliseconds(30'000)));
    REQUIRE(left);
    CHECK(left->empty);
    CHECK(left->stranded == 0);
    CHECK(cell.handles().empty());
    CHECK(evacuating_records(cell) == 0);
    CHECK(cell.record("web").instance.cell_id == "cell-2");
}

TEST_CASE("what is not running yet or has ended goes at once") {
    NEEDS(root, nft);
    Cell cell;
    auto slow = app("slow", kForever);
    slow.monitor = shell("exit 1");
    slow.start_timeout_ms = 300'000;
    REQUIRE(cell.brain().desire_lrp(slow));
    REQUIRE(cell.brain().desire_task(job("evac-short", "sleep 2; echo -n done >/tmp/r", "/tmp/r")));
    CHECK(cell.place().empty());
    REQUIRE(soon([&] { return cell.handles().size() == 2; }));
    REQUIRE(soon([&] { return cell.record("slow").state == LrpState::claimed; }));
    evacuate(cell);
    const auto left = cell.rep().wait_left(patience(milliseconds(30'000)));
    REQUIRE(left);
    CHECK(left->empty);
    CHECK(left->stranded == 0);
    CHECK(cell.record("slow").state == LrpState::unclaimed);
    // A task ends by itself while there is time.
    CHECK(cell.completed("evac-short").result == "done");
    CHECK_FALSE(cell.task("evac-short").failed);
    CHECK(cell.handles().empty());
}

TEST_CASE("at its hard end an evacuation gives up what has no replacement") {
    NEEDS(root, nft);
    Cell cell({.adjust = [](auto& config) {
        config.evacuation.lrp_budget = milliseconds(1'500);
        config.evacuation.task_budget = milliseconds(1'500);
        config.evacuation.timeout = milliseconds(30'000);
        config.evacuation.cleanup = milliseconds(20'000);
    }});
    REQUIRE(cell.brain().desire_lrp(app("stay", kForever, 3)));
    REQUIRE(cell.brain().desire_task(job("evac-long", kForever)));
    CHECK(cell.place().empty());
    for (const std::int32_t i : {0, 1, 2}) (void)cell.running("stay", i);
    REQUIRE(soon([&] { return cell.handles().size() == 4; }));
    evacuate(cell);
    const auto left = cell.rep().wait_left(patience(milliseconds(60'000)));
    REQUIRE(left);
    CHECK(left->empty);
    CHECK(left->stranded == 4);
    CHECK(cell.handles().empty());
    const auto task = cell.task("evac-long");
    CHECK(task.failed);
    CHECK(task.failure_reason == "cell was evacuated before completion");
    CHECK(soon([&] { return evacuating_records(cell) == 0; }));
    for (const std::int32_t i : {0, 1, 2})
        CHECK(cell.record("stay", i).state == LrpState::unclaimed);
}

TEST_CASE("an evacuation ends in time when destroying hangs") {
    NEEDS(root, nft);
    Cell cell({.adjust = [](auto& config) {
        config.evacuation.timeout = milliseconds(1'000);
        config.evacuation.cleanup = milliseconds(1'000);
    }});
    REQUIRE(cell.brain().desire_lrp(app("stay", kForever)));
    CHECK(cell.place().empty());
    (void)cell.running("stay");
    cell.garden().signal(SIGSTOP);
    const auto begin = std::chrono::steady_clock::now();
    evacuate(cell);
    const auto left = cell.rep().wait_left(milliseconds(10'000));
    // False: an operation hangs; celld ends all the same.
    const bool idle = cell.rep().stop(milliseconds(100), rep::core::Lease::release);
    const auto took = std::chrono::steady_clock::now() - begin;
    cell.garden().signal(SIGCONT);
    REQUIRE(left);
    CHECK_FALSE(left->empty);
    CHECK_FALSE(idle);
    CHECK(took < patience(milliseconds(5'000)));
    CHECK(cell.brain().cells().empty());
    // The hang over, it is done after all.
    CHECK(soon([&] { return cell.containers().empty() && cell.handles().empty(); }));
}

TEST_CASE("an evacuation ends in time when the executor is gone") {
    NEEDS(root, nft);
    Cell cell({.adjust = [](auto& config) {
        config.evacuation.timeout = milliseconds(1'000);
        config.evacuation.cleanup = milliseconds(1'000);
    }});
    REQUIRE(cell.brain().desire_lrp(app("stay", kForever)));
    CHECK(cell.place().empty());
    (void)cell.running("stay");
    cell.kill_executor();
    evacuate(cell);
    const auto left = cell.rep().wait_left(milliseconds(6'000));
    REQUIRE(left);
    CHECK_FALSE(left->empty);
}
