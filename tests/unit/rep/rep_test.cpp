// The rep with its threads, between an executor and a brain that a test moves: from work to running
// and to the end, brain away, restarts.
#include "rep/core/rep.hpp"

#include "tests/unit/rep/flaky_brain.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;
using brain::api::LrpState;
using brain::api::TaskState;

namespace {

struct Cell {
    base::SystemClock clock;
    rep::core::MemoryBrain memory{clock};
    FlakyBrain brain{memory};
    FakeExecutor executor;
    base::metrics::Registry metrics;
    rep::core::Config config = test::config();
    std::unique_ptr<rep::core::Rep> rep;

    Cell() { config.owner = "owner-1"; }

    void start() {
        rep = std::make_unique<rep::core::Rep>(config, executor, brain, metrics);
        rep->start();
    }

    // As an auctioneer would: everything that is wanted, to this cell.
    rep::api::Work place() {
        rep::api::Work work;
        work.cell_id = kCell;
        const auto wanted = memory.take_auctions();
        for (const auto& k : wanted.lrps) work.lrps.push_back(lrp_work(k.process_guid, k.index));
        for (const auto& guid : wanted.tasks) work.tasks.push_back(task_work(guid));
        auto refused = rep->perform(std::move(work));
        REQUIRE(refused);
        return std::move(*refused);
    }

    std::vector<Container> containers() {
        return executor.list().value_or(std::vector<Container>());
    }

    std::size_t in_state(State state) {
        const auto all = containers();
        return static_cast<std::size_t>(std::ranges::count(all, state, &Container::state));
    }

    std::size_t records(LrpState state) {
        const auto all = memory.all_lrps();
        return static_cast<std::size_t>(
                std::ranges::count(all, state, &brain::api::ActualLrp::state));
    }

    std::size_t tasks(TaskState state) {
        const auto all = memory.all_tasks();
        return static_cast<std::size_t>(std::ranges::count(all, state, &brain::api::Task::state));
    }

    void move_all(State from, State to) {
        for (const auto& c : containers())
            if (c.state == from) executor.set(c.guid, to);
    }
};

}  // namespace

TEST_CASE("an LRP goes from work to RUNNING and stops when asked to") {
    Cell cell;
    cell.start();
    REQUIRE(cell.memory.desire_lrp(desired("app", 1)));
    CHECK(cell.place().empty());
    REQUIRE(eventually([&] { return cell.in_state(State::initializing) == 1; }));
    CHECK(cell.records(LrpState::claimed) == 1);
    cell.move_all(State::initializing, State::running);
    REQUIRE(eventually([&] { return cell.records(LrpState::running) == 1; }));
    const auto row = cell.memory.all_lrps()[0];
    CHECK(row.net_info.address == "10.0.0.1");
    REQUIRE(row.net_info.ports.size() == 1);
    CHECK(row.net_info.ports[0].container_port == 8080);
    CHECK(row.availability_zone == "z1");
    CHECK(row.routable == true);

    CHECK_FALSE(cell.rep->stop_lrp("other", row.instance.instance_guid));
    CHECK(cell.rep->stop_lrp("app", row.instance.instance_guid));
    REQUIRE(eventually([&] { return cell.containers().empty(); }));
    CHECK(cell.memory.all_lrps().empty());
}

TEST_CASE("an instance that ends by itself is a crash with its reason") {
    Cell cell;
    cell.start();
    REQUIRE(cell.memory.desire_lrp(desired("app", 1)));
    (void)cell.place();
    REQUIRE(eventually([&] { return cell.in_state(State::initializing) == 1; }));
    executor::api::RunResult result;
    result.failed = true;
    result.failure_reason = "APP: Exited with status 17";
    cell.executor.complete(cell.containers()[0].guid, result);
    REQUIRE(eventually([&] { return cell.containers().empty(); }));
    const auto row = cell.memory.all_lrps()[0];
    CHECK(row.state == LrpState::unclaimed);
    CHECK(row.crash_count == 1);
    CHECK(row.crash_reason == "APP: Exited with status 17");
}

TEST_CASE("a hundred LRPs and tasks placed at once all run, each once") {
    Cell cell;
    cell.start();
    REQUIRE(cell.memory.desire_lrp(desired("app", 60)));
    for (int i = 0; i < 40; ++i)
        REQUIRE(cell.memory.desire_task(test::task("task-" + std::to_string(i))));
    CHECK(cell.place().empty());
    REQUIRE(eventually([&] { return cell.in_state(State::initializing) == 100; }));
    CHECK(cell.executor.runs == 100);
    CHECK(cell.records(LrpState::claimed) == 60);
    CHECK(cell.tasks(TaskState::running) == 40);
    cell.move_all(State::initializing, State::running);
    REQUIRE(eventually([&] { return cell.records(LrpState::running) == 60; }));
    // Work of the same instances once more: the brain refuses the claims.
    rep::api::Work again;
    for (int i = 0; i < 60; ++i) again.lrps.push_back(lrp_work("app", i));
    REQUIRE(cell.rep->perform(again));
    REQUIRE(eventually([&] { return cell.containers().size() == 100; }));
    CHECK(cell.records(LrpState::running) == 60);
    CHECK(cell.executor.runs == 100);
}

TEST_CASE("what the executor refuses comes back with its words") {
    Cell cell;
    // Not started: what is reserved stays so.
    cell.rep =
            std::make_unique<rep::core::Rep>(cell.config, cell.executor, cell.brain, cell.metrics);
    cell.executor.total = {.memory_mb = 100, .disk_mb = 100, .containers = 2};
    rep::api::Work work;
    work.lrps = {lrp_work("a", 0, 90), lrp_work("b", 0, 20)};
    work.tasks = {task_work("t", 10), task_work("t2", 0)};
    const auto refused = cell.rep->perform(work);
    REQUIRE(refused);
    REQUIRE(refused->lrps.size() == 1);
    CHECK(refused->lrps[0].process_guid == "b");
    CHECK(refused->lrps[0].refusal == "insufficient resources: memory");
    REQUIRE(refused->tasks.size() == 1);
    CHECK(refused->tasks[0].refusal == "insufficient resources: containers");

    rep::api::Work twice;
    cell.executor.total = {.memory_mb = 1'000, .disk_mb = 100, .containers = 10};
    twice.tasks = {task_work("u", 1), task_work("u", 1)};
    const auto second = cell.rep->perform(twice);
    REQUIRE(second);
    REQUIRE(second->tasks.size() == 1);
    CHECK(second->tasks[0].refusal == "container guid not available");
}

TEST_CASE("250 unchanged containers cost one exchange of digests a round") {
    Cell cell;
    for (int i = 0; i < 250; ++i) {
        const auto guid = "i-" + std::to_string(i);
        cell.executor.put(lrp_container(guid, State::running, key("app", i)));
        auto row = record(guid, LrpState::running);
        row.key.index = i;
        cell.memory.put(row);
    }
    cell.rep =
            std::make_unique<rep::core::Rep>(cell.config, cell.executor, cell.brain, cell.metrics);
    for (int i = 0; i < 3; ++i) CHECK(cell.rep->harmonizer().round());
    CHECK(cell.rep->harmonizer().wait_idle(5s));
    CHECK(cell.brain.calls == 3);
    CHECK(cell.brain.syncs == 3);
    CHECK(cell.metrics.text().find("rep_bulk_rounds_unchanged_total 3") != std::string::npos);
}

TEST_CASE(
        "while the brain is away everything keeps running, and nothing is lost until it returns") {
    Cell cell;
    cell.start();
    REQUIRE(cell.memory.desire_lrp(desired("app", 3)));
    REQUIRE(cell.memory.desire_task(test::task("job", "/tmp/result")));
    (void)cell.place();
    REQUIRE(eventually([&] { return cell.in_state(State::initializing) == 4; }));
    for (const auto& c : cell.containers())
        if (rep::plan::lifecycle_of(c) == rep::plan::Lifecycle::lrp)
            cell.executor.set(c.guid, State::running);
    REQUIRE(eventually([&] { return cell.records(LrpState::running) == 3; }));

    cell.brain.away = true;
    // One instance crashes, the task ends.
    const auto all = cell.containers();
    const auto lrp = std::ranges::find(all, State::running, &Container::state);
    cell.executor.put_file("job", "/tmp/result", tar_of("result", "42"));
    cell.executor.complete("job", {});
    executor::api::RunResult crash;
    crash.failed = true;
    crash.failure_reason = "boom";
    cell.executor.complete(lrp->guid, crash);
    const int before = cell.brain.presences;
    REQUIRE(eventually([&] { return cell.brain.presences > before + 5; }));
    CHECK(cell.in_state(State::running) == 2);
    CHECK(cell.in_state(State::completed) == 2);  // kept until the brain knows
    CHECK(cell.executor.removes == 0);
    CHECK_FALSE(cell.rep->present());

    cell.brain.away = false;
    REQUIRE(eventually([&] { return cell.tasks(TaskState::completed) == 1; }));
    REQUIRE(eventually([&] { return cell.containers().size() == 2; }));
    CHECK(cell.memory.task("job")->result == "42");
    CHECK(cell.records(LrpState::running) == 2);
    CHECK(cell.records(LrpState::unclaimed) == 1);
    REQUIRE(eventually([&] { return cell.rep->present(); }));
}

TEST_CASE("a reservation waits for a brain that is away when the work comes") {
    Cell cell;
    cell.start();
    REQUIRE(cell.memory.desire_lrp(desired("app", 1)));
    cell.brain.away = true;
    (void)cell.place();
    const int before = cell.brain.presences;
    REQUIRE(eventually([&] { return cell.brain.presences > before + 3; }));
    CHECK(cell.in_state(State::reserved) == 1);
    cell.brain.away = false;
    REQUIRE(eventually([&] { return cell.in_state(State::initializing) == 1; }));
}

TEST_CASE("events that nobody heard are made up for by a round") {
    Cell cell;
    cell.start();
    REQUIRE(cell.memory.desire_lrp(desired("app", 1)));
    (void)cell.place();
    REQUIRE(eventually([&] { return cell.in_state(State::initializing) == 1; }));
    cell.executor.set(cell.containers()[0].guid, State::running, false);
    cell.executor.drop_subscribers();
    REQUIRE(eventually([&] { return cell.records(LrpState::running) == 1; }));
}

TEST_CASE("an update of routes is with the brain at once, and v1 leaves the metric tags") {
    Cell cell;
    cell.start();
    REQUIRE(cell.memory.desire_lrp(desired("app", 1)));
    (void)cell.place();
    REQUIRE(eventually([&] { return cell.in_state(State::initializing) == 1; }));
    cell.move_all(State::initializing, State::running);
    REQUIRE(eventually([&] { return cell.records(LrpState::running) == 1; }));
    rep::api::LrpUpdate update;
    update.key = key();
    update.instance_guid = cell.containers()[0].guid;
    update.internal_routes = {{.hostname = "a.internal"}};
    update.metric_tags = {{"k", "v"}};
    REQUIRE(cell.rep->update_lrp(update, true));
    const auto row = [&] { return cell.memory.all_lrps()[0]; };
    REQUIRE(eventually([&] { return row().internal_routes == update.internal_routes; }));
    CHECK(row().metric_tags == update.metric_tags);
    update.internal_routes.clear();
    update.metric_tags.clear();
    REQUIRE(cell.rep->update_lrp(update, false));
    REQUIRE(eventually([&] { return row().internal_routes.empty(); }));
    CHECK(row().metric_tags.at("k") == "v");
    update.instance_guid = "gone";
    CHECK_FALSE(cell.rep->update_lrp(update, true));
}

TEST_CASE("a cancelled task's container goes") {
    Cell cell;
    cell.start();
    REQUIRE(cell.memory.desire_task(test::task("job")));
    (void)cell.place();
    REQUIRE(eventually([&] { return cell.in_state(State::initializing) == 1; }));
    REQUIRE(cell.memory.cancel_task("job"));
    cell.rep->cancel_task("job");
    REQUIRE(eventually([&] { return cell.containers().empty(); }));
    CHECK(cell.memory.task("job")->failure_reason == "task was cancelled");
    cell.rep->cancel_task("nobody");
}

TEST_CASE("presence is a lease: kept over a restart, released at the end, taken from nobody") {
    Cell cell;
    cell.start();
    REQUIRE(eventually([&] { return cell.rep->present(); }));
    REQUIRE(cell.memory.cells().size() == 1);
    CHECK(cell.memory.cells()[0].capacity.containers == 249);
    CHECK(cell.rep->stop(1s, rep::core::Lease::keep));
    CHECK(cell.memory.cells().size() == 1);
    cell.start();  // the same owner: at once
    REQUIRE(eventually([&] { return cell.rep->present(); }));
    auto other = cell.config;
    other.owner = "owner-2";
    base::metrics::Registry metrics;
    rep::core::Rep second(other, cell.executor, cell.brain, metrics);
    second.start();
    const int before = cell.brain.presences;
    REQUIRE(eventually([&] { return cell.brain.presences > before + 6; }));
    CHECK_FALSE(second.present());
    CHECK(second.stop(1s, rep::core::Lease::release));
    CHECK(cell.memory.cells().size() == 1);
    CHECK(cell.rep->stop(1s, rep::core::Lease::release));
    CHECK(cell.memory.cells().empty());
}

namespace {

// One app and one task from reservation to their end, with a rep that dies after every operation.
void live(Cell& cell, int dies_after) {
    REQUIRE(cell.memory.desire_lrp(desired("app", 1)));
    REQUIRE(cell.memory.desire_task(test::task("job", "/r")));
    std::atomic<bool> evacuating = false;
    const auto round = [&](int calls) {
        // A new one each time: whatever it knew is gone. It may die between any two calls.
        rep::core::Applier applier(cell.config, cell.executor, cell.brain, evacuating);
        cell.brain.dies_after = calls;
        rep::plan::World world;
        world.containers = cell.containers();
        world.lrps = cell.memory.actual_lrps(kCell).value();
        world.tasks = cell.memory.tasks(kCell).value();
        for (const auto& operation : rep::plan::plan(world, cell.config.cell, false))
            (void)applier.apply(operation);
    };
    const auto settle = [&] {
        round(dies_after);
        for (int i = 0; i < 4; ++i) round(-1);
    };
    rep::core::Rep intake(cell.config, cell.executor, cell.brain, cell.metrics);
    rep::api::Work work;
    work.lrps = {lrp_work("app", 0)};
    work.tasks = {task_work("job")};
    REQUIRE(intake.perform(work));
    settle();
    CHECK(cell.in_state(State::initializing) == 2);
    CHECK(cell.executor.runs == 2);
    cell.move_all(State::initializing, State::running);
    settle();
    CHECK(cell.records(LrpState::running) == 1);
    cell.executor.put_file("job", "/r", tar_of("r", "result"));
    cell.executor.complete("job", {});
    for (const auto& c : cell.containers())
        if (c.state == State::running) {
            executor::api::RunResult crash;
            crash.failed = true;
            crash.failure_reason = "boom";
            cell.executor.complete(c.guid, crash);
        }
    settle();
    CHECK(cell.containers().empty());
    CHECK(cell.memory.task("job")->state == TaskState::completed);
    CHECK(cell.memory.task("job")->result == "result");
    const auto row = cell.memory.all_lrps()[0];
    CHECK(row.state == LrpState::unclaimed);
    CHECK(row.crash_count == 1);
}

}  // namespace

TEST_CASE("a rep that dies after any call loses nothing: it has no state of its own") {
    for (int calls = 0; calls < 8; ++calls) {
        INFO("dies after " << calls << " calls of the brain");
        Cell cell;
        live(cell, calls);
    }
}

TEST_CASE("restarted again and again while it places sixty instances, it still places them all") {
    Cell cell;
    REQUIRE(cell.memory.desire_lrp(desired("app", 60)));
    cell.start();
    (void)cell.place();
    for (int i = 0; i < 20; ++i) {
        cell.rep.reset();
        cell.brain.fail_one_in = i % 2 == 0 ? 3 : 0;
        cell.move_all(State::initializing, State::running);
        cell.start();
    }
    cell.brain.fail_one_in = 0;
    REQUIRE(eventually([&] {
        cell.move_all(State::initializing, State::running);
        return cell.records(LrpState::running) == 60;
    }));
    CHECK(cell.executor.runs == 60);
    CHECK(cell.containers().size() == 60);
}

TEST_CASE("stop gives up waiting for an executor that hangs") {
    Cell cell;
    cell.start();
    REQUIRE(cell.memory.desire_task(test::task("job")));
    (void)cell.place();
    REQUIRE(eventually([&] { return cell.in_state(State::initializing) == 1; }));
    cell.executor.hang_remove = true;
    cell.rep->cancel_task("job");
    REQUIRE(eventually([&] { return cell.rep->harmonizer().figures().running == 1; }));
    CHECK_FALSE(cell.rep->stop(50ms, rep::core::Lease::release));
    cell.executor.release();
}

TEST_CASE("metrics of containers name their LRP or task, with the share of CPU since last asked") {
    Cell cell;
    cell.start();
    cell.executor.put(lrp_container("i", State::running, key("app", 4)));
    cell.executor.put(task_container("t", State::running));
    const auto metrics = cell.rep->container_metrics();
    REQUIRE(metrics);
    REQUIRE(metrics->lrps.size() == 1);
    CHECK(metrics->lrps[0].index == 4);
    CHECK(metrics->lrps[0].usage.cpu_usage_fraction == Approx(0.5));
    REQUIRE(metrics->tasks.size() == 1);
    const auto text = cell.metrics.text();
    CHECK(text.find("CapacityTotalMemory{zone=\"z1\"} 100000") != std::string::npos);
    cell.rep.reset();
    CHECK(cell.metrics.text().find("CapacityTotalMemory{zone=\"z1\"} -1") != std::string::npos);
}
