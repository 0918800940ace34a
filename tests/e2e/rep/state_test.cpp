// What a cell says of itself: GET /state and GET /container_metrics (executor-rep §14).
#include "tests/e2e/rep/cell.hpp"
#include "tests/support/needs.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace test;

TEST_CASE("the numbers of a cell's state add up") {
    NEEDS(root, nft);
    Cell cell({.memory_mb = 2'000, .disk_mb = 4'000, .containers = 11});
    const auto empty = cell.http().state();
    REQUIRE(empty);
    const rep::api::Resources total{.memory_mb = 2'000, .disk_mb = 4'000, .containers = 10};
    CHECK(empty->total_resources == total);
    CHECK(empty->available_resources == total);
    CHECK(empty->cell_id == kCellId);
    CHECK(empty->zone == "z1");
    CHECK_FALSE(empty->evacuating);
    CHECK(empty->rootfs_providers.at("preloaded").names.contains("busybox"));
    CHECK(soon([&] { return cell.brain().cells().size() == 1; }));
    CHECK(cell.brain().cells().front().capacity.memory_mb == 2'000);

    auto wanted = app("app", kForever, 3);
    wanted.definition.memory_mb = 100;
    wanted.definition.disk_mb = 200;
    REQUIRE(cell.brain().desire_lrp(wanted));
    REQUIRE(cell.brain().desire_task(job("state-task", kForever)));
    CHECK(cell.place().empty());
    for (const std::int32_t i : {0, 1, 2}) (void)cell.running("app", i);
    REQUIRE(soon([&] {
        const auto c = cell.executor().get("state-task");
        return c && c->state == executor::api::State::running;
    }));
    const auto full = cell.http().state();
    REQUIRE(full);
    CHECK(full->available_resources == rep::api::Resources{
                                               .memory_mb = 2'000 - 3 * 100 - 32,
                                               .disk_mb = 4'000 - 3 * 200 - 32,
                                               .containers = 6});
    CHECK(full->starting_container_count == 0);
    REQUIRE(full->lrps.size() == 3);
    std::int64_t memory = 0;
    for (const auto& lrp : full->lrps) {
        CHECK(lrp.state == rep::api::kRunning);
        CHECK(lrp.process_guid == "app");
        CHECK(lrp.instance_guid == cell.record("app", lrp.index).instance.instance_guid);
        CHECK(lrp.needs.rootfs == kStack);
        memory += lrp.needs.memory_mb;
    }
    REQUIRE(full->tasks.size() == 1);
    CHECK(full->tasks[0].task_guid == "state-task");
    CHECK(full->tasks[0].state == "Running");
    CHECK(memory + full->tasks[0].needs.memory_mb + full->available_resources.memory_mb == 2'000);
    REQUIRE(cell.http().cancel_task("state-task"));
    CHECK(soon([&] { return cell.http().state()->available_resources.containers == 7; }));
    CHECK(cell.http().state()->available_resources.memory_mb == 1'700);
}

TEST_CASE("the metrics of a cell's containers are those of the kernel") {
    NEEDS(root, nft);
    Cell cell;
    auto busy = app("busy", "while :; do :; done");
    busy.definition.metrics_guid = "busy-metrics";
    busy.definition.cpu_weight = 100;
    REQUIRE(cell.brain().desire_lrp(busy));
    REQUIRE(cell.brain().desire_lrp(
            app("idle", "dd if=/dev/zero of=/tmp/five bs=1M count=5; sync; exec sleep 1000")));
    REQUIRE(cell.brain().desire_task(job("metrics-task", kForever)));
    CHECK(cell.place().empty());
    const auto guid = cell.running("busy").instance.instance_guid;
    const auto idle_guid = cell.running("idle").instance.instance_guid;
    const auto of = [&](const std::string& wanted) {
        const auto all = cell.http().container_metrics();
        REQUIRE(all);
        CHECK(all->cell_id == kCellId);
        for (const auto& lrp : all->lrps)
            if (lrp.instance_guid == wanted) return lrp;
        return rep::api::LrpMetrics{};
    };
    REQUIRE(soon([&] { return of(idle_guid).usage.disk_usage_bytes >= (5U << 20U); }));
    (void)of(guid);
    REQUIRE(soon([&] { return of(guid).usage.cpu_usage_fraction > 0.05; }));
    const auto used = of(guid);
    CHECK(used.process_guid == "busy");
    CHECK(used.index == 0);
    CHECK(used.usage.metric_guid == "busy-metrics");
    CHECK(used.usage.cpu_usage_fraction < 1.5);
    CHECK(used.usage.memory_quota_bytes == 32U << 20U);
    CHECK(used.usage.memory_usage_bytes > 0);
    CHECK(used.usage.memory_usage_bytes <= used.usage.memory_quota_bytes);
    CHECK(used.usage.disk_quota_bytes >= 32U << 20U);
    CHECK(of(idle_guid).usage.disk_usage_bytes <= of(idle_guid).usage.disk_quota_bytes);
    CHECK(of(idle_guid).usage.cpu_usage_fraction < 0.5);
    const auto all = cell.http().container_metrics();
    REQUIRE(all);
    CHECK(all->lrps.size() == 2);
    REQUIRE(all->tasks.size() == 1);
    CHECK(all->tasks[0].task_guid == "metrics-task");
}

TEST_CASE("a cell whose backend is not healthy says so and still says what it has") {
    NEEDS(root, nft);
    Cell cell({.check = milliseconds(200)});
    const auto status = [&](std::string* body = nullptr) {
        auto http = cell.raw_http();
        base::http::ClientRequest request;
        request.target = "/state";
        const auto answer = http.call(std::move(request));
        REQUIRE(answer);
        if (body != nullptr) *body = answer->body;
        return answer->status;
    };
    REQUIRE(soon([&] { return status() == 200; }));
    REQUIRE(cell.brain().desire_lrp(app("app", kForever)));
    CHECK(cell.place().empty());
    (void)cell.running("app");
    cell.garden().kill9();
    std::string body;
    REQUIRE(soon([&] { return status(&body) == 503; }));
    const auto state = base::json::decode<rep::api::CellState>(body, base::json::Rest::ignore);
    REQUIRE(state);
    CHECK(state->lrps.size() == 1);
    CHECK(state->total_resources.memory_mb == 8'192);
    CHECK_FALSE(cell.http().state());
    cell.garden().start();
    CHECK(soon([&] { return status() == 200; }));
    CHECK(cell.record("app").state == brain::api::LrpState::running);
}
