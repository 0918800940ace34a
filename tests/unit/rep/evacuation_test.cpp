// Evacuation: apps are served until their replacement runs, budgets end what never ends, and the
// cell leaves whatever hangs.
#include "rep/core/rep.hpp"
#include "tests/unit/rep/flaky_brain.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;
using brain::api::LrpState;
using brain::api::Presence;
using brain::api::TaskState;

namespace {

struct Leaving {
    base::SystemClock clock;
    rep::core::MemoryBrain memory{clock};
    FlakyBrain brain{memory};
    FakeExecutor executor;
    base::metrics::Registry metrics;
    rep::core::Config config = test::config();
    std::unique_ptr<rep::core::Rep> rep;

    // An app that runs here, and is known to the brain so.
    void app(const std::string& guid = "app") {
        REQUIRE(memory.desire_lrp(desired(guid, 1)));
        executor.put(lrp_container(guid + "-1", State::running, key(guid)));
        auto row = record(guid + "-1", LrpState::running);
        row.key = key(guid);
        memory.put(row);
    }

    void job() {
        executor.put(task_container("job", State::running));
        auto t = test::task("job");
        t.state = TaskState::running;
        t.cell_id = kCell;
        memory.put(t);
    }

    void evacuate() {
        rep = std::make_unique<rep::core::Rep>(config, executor, brain, metrics);
        rep->start();
        rep->evacuate();
        rep->evacuate();
    }

    std::size_t left() { return executor.list().value().size(); }

    std::optional<brain::api::ActualLrp> row(Presence presence) {
        const auto all = memory.all_lrps();
        const auto found = std::ranges::find(all, presence, &brain::api::ActualLrp::presence);
        return found == all.end() ? std::nullopt : std::optional(*found);
    }
};

}  // namespace

TEST_CASE("an evacuating cell serves an app until its replacement runs") {
    Leaving cell;
    cell.app();
    cell.evacuate();
    REQUIRE(eventually([&] { return cell.row(Presence::evacuating).has_value(); }));
    CHECK(cell.row(Presence::ordinary)->state == LrpState::unclaimed);
    CHECK(cell.memory.take_auctions().lrps.size() >= 1);
    // Several rounds: still there.
    const int before = cell.brain.syncs;
    REQUIRE(eventually([&] { return cell.brain.syncs > before + 3; }));
    CHECK(cell.left() == 1);
    CHECK_FALSE(cell.rep->wait_left(0ms));

    brain::api::RunningLrp replacement;
    replacement.key = key();
    replacement.instance = {.instance_guid = "app-2", .cell_id = "cell-2"};
    replacement.net_info.address = "10.0.0.2";
    REQUIRE(cell.memory.claim_actual_lrp(replacement.key, replacement.instance));
    CHECK(cell.left() == 1);
    REQUIRE(cell.memory.start_actual_lrp(replacement));
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK(left->empty);
    CHECK(left->stranded == 0);
    CHECK(cell.row(Presence::ordinary)->instance.instance_guid == "app-2");
    CHECK_FALSE(cell.row(Presence::evacuating));
}

TEST_CASE("an evacuating cell refuses work and says so") {
    Leaving cell;
    cell.app();
    cell.evacuate();
    rep::api::Work work;
    work.lrps = {lrp_work("b", 0)};
    work.tasks = {task_work("t")};
    const auto refused = cell.rep->perform(work);
    REQUIRE(refused);
    REQUIRE(refused->lrps.size() == 1);
    CHECK(refused->lrps[0].refusal == "cell is evacuating");
    CHECK(refused->tasks.size() == 1);
    const auto state = cell.rep->state();
    REQUIRE(state);
    CHECK(state->state.evacuating);
}

TEST_CASE("an empty cell leaves at once") {
    Leaving cell;
    Container untagged;
    untagged.guid = "somebody else's";
    cell.executor.put(untagged);
    cell.evacuate();
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK(left->empty);
    CHECK(cell.left() == 1);
}

TEST_CASE("a task is waited for, and its result taken, before the cell leaves") {
    Leaving cell;
    cell.job();
    cell.evacuate();
    CHECK_FALSE(cell.rep->wait_left(50ms));
    cell.executor.complete("job", {});
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK(left->empty);
    CHECK_FALSE(cell.memory.task("job")->failed);
}

TEST_CASE("an app over its budget is given up while the others go on") {
    Leaving cell;
    cell.config.evacuation.lrp_budget = 60ms;
    cell.app();
    cell.job();
    cell.evacuate();
    REQUIRE(eventually([&] { return cell.left() == 1; }));
    CHECK_FALSE(cell.row(Presence::evacuating));
    CHECK(cell.row(Presence::ordinary)->state == LrpState::unclaimed);
    CHECK_FALSE(cell.rep->wait_left(20ms));  // the task has its own
    cell.executor.complete("job", {});
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK(left->stranded == 1);
    CHECK(cell.metrics.text().find("StrandedEvacuatingActualLRPs 1") != std::string::npos);
    const auto said = cell.executor.said();
    CHECK(std::ranges::count(
                  said, "Cell cell-1 reached its evacuation timeout for instance app-1") == 1);
}

TEST_CASE("a task over its budget fails with the reason") {
    Leaving cell;
    cell.config.evacuation.task_budget = 30ms;
    cell.job();
    cell.evacuate();
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK(left->empty);
    CHECK(cell.memory.task("job")->failure_reason == "cell was evacuated before completion");
}

TEST_CASE("at the hard end everything is deleted, the brain may be away") {
    Leaving cell;
    cell.config.evacuation.timeout = 60ms;
    for (int i = 0; i < 5; ++i) cell.app("app" + std::to_string(i));
    cell.brain.away = true;
    cell.evacuate();
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK(left->empty);
    CHECK(left->stranded == 5);
    CHECK(cell.left() == 0);
}

TEST_CASE("a result that no brain takes survives the hard end with its container") {
    Leaving cell;
    cell.config.evacuation.timeout = 30ms;
    cell.config.evacuation.cleanup = 60ms;
    cell.job();
    cell.executor.complete("job", {});
    cell.brain.away = true;
    cell.evacuate();
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK_FALSE(left->empty);
    CHECK(left->stranded == 0);
    CHECK(cell.left() == 1);
    cell.rep.reset();
    cell.brain.away = false;
    cell.rep =
            std::make_unique<rep::core::Rep>(cell.config, cell.executor, cell.brain, cell.metrics);
    cell.rep->start();
    REQUIRE(eventually([&] { return cell.left() == 0; }));
    CHECK_FALSE(cell.memory.task("job")->failed);
}

TEST_CASE("the cell leaves even if destroy hangs") {
    Leaving cell;
    cell.config.evacuation.timeout = 30ms;
    cell.config.evacuation.cleanup = 60ms;
    cell.app();
    cell.executor.hang_remove = true;
    cell.evacuate();
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK_FALSE(left->empty);
    CHECK(left->stranded == 1);
    CHECK_FALSE(cell.rep->stop(20ms, rep::core::Lease::release));
    CHECK(cell.memory.cells().empty());
    cell.executor.release();
}

TEST_CASE("a rep restarted in the middle of an evacuation takes its instances back") {
    Leaving cell;
    cell.app();
    cell.evacuate();
    REQUIRE(eventually([&] { return cell.row(Presence::evacuating).has_value(); }));
    cell.rep.reset();
    cell.rep =
            std::make_unique<rep::core::Rep>(cell.config, cell.executor, cell.brain, cell.metrics);
    cell.rep->start();
    REQUIRE(eventually([&] {
        const auto row = cell.row(Presence::ordinary);
        return row && row->instance.instance_guid == "app-1";
    }));
    CHECK_FALSE(cell.row(Presence::evacuating));
    CHECK(cell.left() == 1);
}
