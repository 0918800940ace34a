// What a cell refuses, and many at once (executor-rep §15, §21).
#include "tests/e2e/rep/cell.hpp"
#include "tests/support/needs.hpp"

#include <set>

#include <catch2/catch.hpp>

using namespace test;
using brain::api::LrpState;
using brain::api::TaskState;

namespace {

std::string refusal(Cell& cell, brain::api::DesiredLrp wanted) {
    auto refused = cell.must_perform(work_of(wanted));
    auto task = job("task-" + wanted.process_guid, "true");
    task.task_definition.definition.rootfs = wanted.definition.rootfs;
    task.task_definition.definition.placement_tags = wanted.definition.placement_tags;
    task.task_definition.definition.memory_mb = wanted.definition.memory_mb;
    task.task_definition.definition.disk_mb = wanted.definition.disk_mb;
    const auto refused_task = cell.must_perform(work_of(task));
    REQUIRE(refused.lrps.size() == 1);
    REQUIRE(refused_task.tasks.size() == 1);
    CHECK(refused.lrps[0].process_guid == wanted.process_guid);
    CHECK(refused_task.tasks[0].refusal == refused.lrps[0].refusal);
    return refused.lrps[0].refusal;
}

}  // namespace

TEST_CASE("a cell refuses what it cannot place and says why") {
    NEEDS(root, nft);
    Cell cell({.memory_mb = 1'024, .disk_mb = 2'048, .adjust = [](auto& config) {
                   config.cell.placement_tags = {"gpu"};
                   config.cell.optional_placement_tags = {"ssd"};
               }});
    auto wanted = app("app", kForever);
    wanted.definition.placement_tags = {"gpu", "ssd"};
    auto other = wanted;
    other.definition.rootfs = "preloaded:windows";
    CHECK(refusal(cell, other) == "cell has no root filesystem 'preloaded:windows'");
    other.definition.rootfs = "ftp://somewhere/image";
    CHECK_THAT(refusal(cell, other), Catch::Contains("cell has no root filesystem"));
    other = wanted;
    other.definition.placement_tags = {"ssd"};
    CHECK(refusal(cell, other) == "placement tags do not match the cell's");
    other.definition.placement_tags = {"gpu", "tape"};
    CHECK(refusal(cell, other) == "placement tags do not match the cell's");
    other = wanted;
    other.definition.memory_mb = 1'025;
    CHECK(refusal(cell, other) == "insufficient resources: memory");
    other.definition.disk_mb = 2'049;
    CHECK(refusal(cell, other) == "insufficient resources: disk, memory");
    CHECK(cell.containers().empty());

    REQUIRE(cell.brain().desire_lrp(wanted));
    CHECK(cell.place().empty());
    (void)cell.running("app");
    auto foreign = work_of(wanted);
    foreign.cell_id = "cell-2";
    CHECK_FALSE(cell.http().perform(foreign));
}

TEST_CASE("sixty at once all run and none is doubled") {
    NEEDS(root, nft);
    constexpr std::int32_t kLrps = 40;
    constexpr int kTasks = 20;
    Cell cell;
    REQUIRE(cell.brain().desire_lrp(app("many", kForever, kLrps)));
    for (int i = 0; i < kTasks; ++i) {
        const auto guid = "many-t" + std::to_string(i);
        REQUIRE(cell.brain().desire_task(job(guid, "echo -n " + guid + " >/tmp/r", "/tmp/r")));
    }
    CHECK(cell.place().empty());
    std::set<std::string> guids, addresses;
    for (std::int32_t i = 0; i < kLrps; ++i) {
        const auto lrp = cell.running("many", i);
        guids.insert(lrp.instance.instance_guid);
        addresses.insert(lrp.net_info.instance_address);
        CHECK(lrp.crash_count == 0);
    }
    CHECK(guids.size() == kLrps);
    CHECK(addresses.size() == kLrps);
    for (int i = 0; i < kTasks; ++i) {
        const auto guid = "many-t" + std::to_string(i);
        const auto task = cell.completed(guid);
        INFO(task.failure_reason);
        CHECK_FALSE(task.failed);
        CHECK(task.result == guid);
    }
    CHECK(soon([&] { return cell.handles() == std::vector(guids.begin(), guids.end()); }));
    CHECK(cell.containers().size() == kLrps);
    REQUIRE(cell.brain().remove_desired_lrp("many"));
    for (const auto& guid : guids) CHECK(cell.http().stop_lrp("many", guid));
    CHECK(soon([&] { return cell.handles().empty() && cell.records("many").empty(); }));
}
