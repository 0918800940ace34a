// A cell without a brain: the whole API works, nobody is compared with records that do not exist,
// and an evacuation has its end.
#include "rep/core/rep.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;

namespace {

struct Alone {
    FakeExecutor executor;
    base::metrics::Registry metrics;
    rep::core::Config config = test::config();
    std::atomic<int> notes = 0;
    std::unique_ptr<rep::core::Rep> rep;

    Alone() {
        config.times.bulk = 10ms;
        config.on_note = [this](const rep::core::Note&) { ++notes; };
    }

    void start() {
        rep = std::make_unique<rep::core::Rep>(config, executor, nullptr, metrics);
        rep->start();
    }

    bool has(const std::string& guid) { return executor.get(guid).has_value(); }

    // Longer than several rounds of a cell with a brain.
    bool stays(const std::string& guid) {
        return !eventually([&] { return !has(guid); }, 200ms);
    }
};

}  // namespace

TEST_CASE("a cell without a brain leaves every container alone") {
    Alone cell;
    cell.executor.put(task_container("task", State::completed));
    cell.executor.put(lrp_container("lrp", State::running));
    cell.executor.put(lrp_container("odd", State::created));
    cell.start();
    cell.executor.set("odd", State::completed);
    CHECK(cell.stays("task"));
    CHECK((cell.has("lrp") && cell.has("odd")));
    CHECK(cell.executor.removes == 0);
    CHECK_FALSE(cell.rep->present());
    CHECK(cell.notes == 0);
}

TEST_CASE("without a brain work is reserved, told, stopped and cancelled") {
    Alone cell;
    cell.start();
    rep::api::Work work;
    work.cell_id = kCell;
    work.lrps.push_back(lrp_work("app", 0));
    work.tasks.push_back(task_work("job"));
    const auto refused = cell.rep->perform(std::move(work));
    REQUIRE(refused);
    CHECK(refused->empty());
    const auto told = cell.rep->state();
    REQUIRE(told);
    REQUIRE(told->state.lrps.size() == 1);
    CHECK(told->state.tasks.size() == 1);
    const auto instance = told->state.lrps[0].instance_guid;
    // Somebody else runs it.
    REQUIRE(cell.executor.run({.guid = instance, .info = {}, .tags = {}}));
    cell.executor.set(instance, State::running);
    CHECK(cell.rep->update_lrp({.instance_guid = instance, .key = key()}, false));
    CHECK(cell.stays(instance));
    CHECK(cell.rep->stop_lrp("app", instance));
    CHECK(cell.rep->container_metrics());
    cell.rep->cancel_task("job");
    CHECK(eventually([&] { return !cell.has("job"); }));
    CHECK(cell.has(instance));
    CHECK(cell.notes == 0);
}

TEST_CASE("an evacuation without a brain ends work at its budget and keeps results until its end") {
    Alone cell;
    cell.config.evacuation.lrp_budget = cell.config.evacuation.task_budget = 150ms;
    cell.config.evacuation.timeout = 600ms;
    cell.executor.put(lrp_container("app", State::running));
    cell.executor.put(lrp_container("crashed", State::completed, key("crashed")));
    cell.executor.put(task_container("result", State::completed));
    Container strange;
    strange.guid = "strange";  // not the rep's
    cell.executor.put(strange);
    cell.start();
    cell.rep->evacuate();
    CHECK(cell.has("app"));
    CHECK(eventually([&] { return !cell.has("app") && !cell.has("crashed"); }));
    CHECK(cell.has("result"));
    const auto said = cell.executor.said();
    CHECK(std::ranges::any_of(said, [](const std::string& line) {
        return line.find("reached its evacuation timeout for instance app") != std::string::npos;
    }));
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK(left->empty);
    CHECK(left->stranded == 1);
    CHECK_FALSE(cell.has("result"));
    CHECK(cell.has("strange"));
    CHECK(cell.rep->stop(1s, rep::core::Lease::release));
    CHECK(cell.notes == 0);
}

TEST_CASE("an evacuation without a brain ends although the engine hangs") {
    Alone cell;
    cell.config.evacuation = {
            .poll = 10ms,
            .lrp_budget = 20ms,
            .task_budget = 20ms,
            .timeout = 50ms,
            .cleanup = 50ms};
    cell.executor.put(lrp_container("app", State::running));
    cell.executor.hang_remove = true;
    cell.start();
    cell.rep->evacuate();
    const auto left = cell.rep->wait_left(10s);
    REQUIRE(left);
    CHECK_FALSE(left->empty);
    cell.executor.release();
}
