// The brain is away: everything keeps running, nothing is lost, everything is told later
// (executor-rep §17.1, docs/rep.md).
#include "tests/e2e/rep/cell.hpp"
#include "tests/support/needs.hpp"

#include <catch2/catch.hpp>

using namespace test;
using brain::api::LrpState;
using brain::api::TaskState;

TEST_CASE("while the brain is away everything runs and what ended is told later") {
    NEEDS(root, nft);
    Cell cell;
    REQUIRE(cell.brain().desire_lrp(app("stay", kForever, 3)));
    REQUIRE(cell.brain().desire_lrp(
            app("end", "while [ ! -e /tmp/go ]; do usleep 1000; done; exit 17")));
    REQUIRE(cell.brain().desire_lrp(app("stopped", kForever)));
    REQUIRE(cell.brain().desire_task(
            job("away-task", "while [ ! -e /tmp/go ]; do usleep 1000; done; echo -n kept >/tmp/r",
                "/tmp/r")));
    CHECK(cell.place().empty());
    for (const std::int32_t i : {0, 1, 2}) (void)cell.running("stay", i);
    const auto end = cell.running("end").instance.instance_guid;
    const auto stopped = cell.running("stopped").instance.instance_guid;
    REQUIRE(soon([&] {
        const auto c = cell.executor().get("away-task");
        return c && c->state == executor::api::State::running;
    }));
    const auto before = cell.handles();
    REQUIRE(before.size() == 6);

    cell.link().away = true;
    CHECK(cell.inside(end, "touch /tmp/go") == 0);
    CHECK(cell.inside("away-task", "touch /tmp/go") == 0);
    CHECK(cell.http().stop_lrp("stopped", stopped));
    for (const auto& guid : {end, stopped, std::string("away-task")})
        REQUIRE(soon([&] {
            const auto c = cell.executor().get(guid);
            return c && c->state == executor::api::State::completed;
        }));
    // New work waits as a reservation.
    const auto late = job("away-late", "echo -n late >/tmp/r", "/tmp/r");
    REQUIRE(cell.brain().desire_task(late));
    CHECK(cell.must_perform(work_of(late)).empty());
    const int syncs = cell.link().syncs;
    REQUIRE(soon([&] { return cell.link().syncs > syncs + 5; }));
    CHECK(cell.handles() == before);
    CHECK(cell.task("away-task").state == TaskState::running);
    CHECK(cell.record("end").state == LrpState::running);
    CHECK(cell.task("away-late").state == TaskState::pending);

    cell.link().away = false;
    const auto done = cell.completed("away-task");
    CHECK_FALSE(done.failed);
    CHECK(done.result == "kept");
    REQUIRE(soon([&] { return cell.record("end").crash_count == 1; }));
    CHECK_THAT(cell.record("end").crash_reason, Catch::Contains("Exited with status 17"));
    CHECK(soon([&] { return cell.records("stopped").empty(); }));
    CHECK(cell.completed("away-late").result == "late");
    for (const std::int32_t i : {0, 1, 2}) {
        CHECK(cell.record("stay", i).state == LrpState::running);
        CHECK(cell.record("stay", i).crash_count == 0);
    }
    CHECK(soon([&] { return cell.handles().size() == 3; }));
}

TEST_CASE("a brain that fails every fifth call loses nothing") {
    NEEDS(root, nft);
    Cell cell;
    cell.link().fail_one_in = 5;  // three had met the same call of each round
    REQUIRE(cell.brain().desire_lrp(app("flaky", kForever, 8)));
    for (int i = 0; i < 8; ++i) {
        const auto guid = "flaky-t" + std::to_string(i);
        REQUIRE(cell.brain().desire_task(job(guid, "echo -n " + guid + " >/tmp/r", "/tmp/r")));
    }
    CHECK(cell.place().empty());
    for (std::int32_t i = 0; i < 8; ++i) REQUIRE(cell.running("flaky", i).crash_count == 0);
    for (int i = 0; i < 8; ++i) {
        const auto guid = "flaky-t" + std::to_string(i);
        CHECK(cell.completed(guid).result == guid);
    }
    CHECK(soon([&] { return cell.handles().size() == 8; }));
}

TEST_CASE("a store that was emptied learns again what runs") {
    NEEDS(root, nft);
    Cell cell;
    REQUIRE(cell.brain().desire_lrp(app("app", kForever)));
    CHECK(cell.place().empty());
    const auto before = cell.running("app");
    REQUIRE(cell.brain().remove_actual_lrp(before.key, before.instance));
    CHECK(cell.running("app").instance == before.instance);
    CHECK(cell.handles() == std::vector{before.instance.instance_guid});
    // Somebody else's record: the container here is one too many.
    auto other = cell.record("app");
    other.instance = {.instance_guid = "elsewhere", .cell_id = "cell-2"};
    cell.brain().put(other);
    CHECK(soon([&] { return cell.handles().empty(); }));
    CHECK(cell.record("app").instance == other.instance);
}

TEST_CASE("records without containers are cleared") {
    NEEDS(root, nft);
    Cell cell;
    brain::api::ActualLrp lrp;
    lrp.key = {.process_guid = "ghost", .index = 0, .domain = "apps"};
    lrp.instance = {.instance_guid = "ghost-instance", .cell_id = kCellId};
    lrp.state = LrpState::running;
    cell.brain().put(lrp);
    auto task = job("ghost-task", "true");
    task.state = TaskState::running;
    task.cell_id = kCellId;
    cell.brain().put(task);
    CHECK(soon([&] { return cell.records("ghost").empty(); }));
    const auto done = cell.completed("ghost-task");
    CHECK(done.failed);
    CHECK(done.failure_reason == "task container does not exist");
}
