// Rules of the auction one by one (auction §16): scores, zones, order, cap, errors, corrections.
#include "brain/auction/schedule.hpp"

#include "tests/unit/brain_auction/worlds.hpp"

#include <catch2/catch.hpp>

using namespace test;
using brain::auction::Cause;
using brain::auction::Item;

namespace {

std::string error_of(const Cells& cells, const Needs& needs, const Settings& settings = {}) {
    Batch batch;
    batch.lrps.push_back({.key = {.process_guid = "a", .index = 0, .domain = "d"}, .needs = needs});
    return schedule(cells, batch, settings).lrps[0].error;
}

std::string winner_of(const Cells& cells, const Batch& batch, const Settings& settings = {}) {
    const auto results = schedule(cells, batch, settings);
    return results.lrps.empty() ? results.tasks[0].cell_id : results.lrps[0].cell_id;
}

void fill_up(CellState& cell) {
    cell.available_resources = {.memory_mb = 0, .disk_mb = 0, .containers = 0};
}

}  // namespace

TEST_CASE("a score is what is worked out by hand") {
    Cells cells{make_cell(0, "z")};
    cells[0].total_resources = {.memory_mb = 200, .disk_mb = 100, .containers = 50};
    cells[0].available_resources = {.memory_mb = 100, .disk_mb = 75, .containers = 40};
    cells[0].starting_container_count = 3;
    cells[0].lrps.resize(2);
    for (auto& lrp : cells[0].lrps) {
        lrp.process_guid = "app";
        lrp.state = "RUNNING";
    }
    cells[0].tasks.resize(1);
    Batch batch{.lrps = {make_lrp("app", 0, 20, 5)}, .tasks = {}};
    // 1 - 80/200, 1 - 70/100, 1 - 39/50
    const double resource = (0.6 + 0.3 + 0.22) / 3;
    auto terms = schedule(cells, batch).lrps[0].terms;
    CHECK(terms.resource == Approx(resource));
    CHECK(terms.starting == Approx(0.75));
    CHECK(terms.locality == Approx(2'000));
    CHECK(terms.total == Approx(resource + 0.75 + 2'000));

    cells[0].proxy_memory_allocation_mb = 40;  // 1 - 40/200
    terms = schedule(cells, batch).lrps[0].terms;
    CHECK(terms.resource == Approx((0.8 + 0.3 + 0.22) / 3));

    batch = {.lrps = {}, .tasks = {make_task("t", 20, 5)}};  // no proxy, any task is near
    terms = schedule(cells, batch).tasks[0].terms;
    CHECK(terms.total == Approx(resource + 0.75 + 1'000));
}

TEST_CASE("ties go to the cell whose id sorts first") {
    Cells cells{make_cell(2, "z"), make_cell(0, "z"), make_cell(1, "z")};
    CHECK(winner_of(cells, one_app(1)) == "cell-0000");
    CHECK(winner_of(cells, {.lrps = {}, .tasks = {make_task("t")}}) == "cell-0000");
}

TEST_CASE("an instance of the same process outweighs any difference of resources") {
    Cells cells{make_cell(0, "z"), make_cell(1, "z"), make_cell(2, "z")};
    preload_unique(cells[1], 90);
    preload_unique(cells[2], 95);
    const auto results = schedule(cells, one_app(4));
    CHECK(counts(cells, results) == std::vector<std::size_t>{2, 1, 1});
}

TEST_CASE("the zone with fewer instances wins though it is fuller") {
    Cells cells{make_cell(0, "a"), make_cell(1, "b")};
    preload(cells[0], "app", 0);
    preload_unique(cells[1], 90);
    Batch batch{.lrps = {make_lrp("app", 1)}, .tasks = {}};
    CHECK(winner_of(cells, batch) == cells[1].cell_id);
    // Those that the filters leave out count, too.
    cells.push_back(make_cell(2, "a"));
    cells[0].placement_tags = {"gpu"};
    CHECK(winner_of(cells, batch) == cells[1].cell_id);
    // A zone that is full is passed over.
    fill_up(cells[1]);
    CHECK(winner_of(cells, batch) == cells[2].cell_id);
}

TEST_CASE("zones with as many instances compete by score") {
    Cells cells{make_cell(0, "a"), make_cell(1, "b"), make_cell(2, "c")};
    preload_unique(cells[0], 10);
    preload_unique(cells[1], 5);
    preload(cells[2], "app", 0);
    CHECK(winner_of(cells, {.lrps = {make_lrp("app", 1)}, .tasks = {}}) == cells[1].cell_id);
}

TEST_CASE("tasks ignore zones and keep away from tasks") {
    Cells cells{make_cell(0, "a"), make_cell(1, "b"), make_cell(2, "b")};
    cells[0].tasks.emplace_back().state = "Running";
    preload_unique(cells[2], 50);
    Batch batch;
    for (int i = 0; i < 4; ++i) batch.tasks.push_back(make_task("t" + std::to_string(i)));
    const auto results = schedule(cells, batch);
    CHECK(counts(cells, results) == std::vector<std::size_t>{1, 2, 1});
}

TEST_CASE("what is over keeps nobody away unless asked to") {
    Cells cells{make_cell(0, "z"), make_cell(1, "z")};
    preload(cells[0], "app", 0);
    cells[0].lrps[0].state = GENERATE(as<std::string>{}, "CRASHED", "SHUTDOWN");
    cells[0].available_resources = cells[0].total_resources;
    preload_unique(cells[1], 1);
    CHECK(winner_of(cells, one_app(1)) == cells[0].cell_id);
    CHECK(winner_of(cells, one_app(1), {.count_completed = true}) == cells[1].cell_id);
    cells[0].tasks.emplace_back().state = "Completed";
    const Batch task{.lrps = {}, .tasks = {make_task("t")}};
    CHECK(winner_of(cells, task) == cells[0].cell_id);
    CHECK(winner_of(cells, task, {.count_completed = true}) == cells[1].cell_id);
}

TEST_CASE("first instances go first and then tasks and then the others") {
    Batch batch;
    batch.lrps = {
            make_lrp("b", 1, 9), make_lrp("b", 0, 1), make_lrp("a", 0, 1), make_lrp("c", 0, 5)};
    batch.tasks = {make_task("u", 1), make_task("t", 1), make_task("v", 8)};
    const auto order = order_of_work(batch, {});
    const std::vector<Item> wanted{{false, 3}, {false, 2}, {false, 1}, {true, 2},
                                   {true, 1},  {true, 0},  {false, 0}};
    CHECK(order == wanted);
}

TEST_CASE("a batch of first instances goes before tasks and for a replay behind them") {
    Cells cells{make_cell(0, "z", 1)};
    const Batch batch{.lrps = {make_lrp("a", 0)}, .tasks = {make_task("t")}};
    auto results = schedule(cells, batch);
    CHECK(results.lrps[0].placed());
    CHECK_FALSE(results.tasks[0].placed());
    results = schedule(cells, batch, {.first_index_first = false});
    CHECK_FALSE(results.lrps[0].placed());
    CHECK(results.tasks[0].placed());
}

TEST_CASE("each error has its text") {
    Cells cells{make_cell(0, "a"), make_cell(1, "b")};
    auto needs = make_needs();
    needs.rootfs = "preloaded:windows";
    CHECK(error_of(cells, needs) == "found no compatible cell for required rootfs");
    needs = make_needs();
    needs.volume_drivers = {"nfs"};
    CHECK(error_of(cells, needs) == "found no compatible cell with required volume drivers");
    needs = make_needs();
    needs.placement_tags = {"a"};
    CHECK(error_of(cells, needs) == "found no compatible cell with placement tag \"a\"");
    needs.placement_tags = {"a", "b"};
    CHECK(error_of(cells, needs) == "found no compatible cell with placement tags \"a\" and \"b\"");
    needs.placement_tags = {"a", "b", "c"};
    CHECK(error_of(cells, needs) ==
          "found no compatible cell with placement tags \"a\", \"b\" and \"c\"");
    for (auto& cell : cells) cell.placement_tags = {"gpu"};
    CHECK(error_of(cells, make_needs()) == "found no compatible cell with no placement tags");
    CHECK(error_of({}, make_needs()) == "unable to communicate to compatible cells");
    cells[0].evacuating = cells[1].evacuating = true;
    CHECK(error_of(cells, make_needs()) == "unable to communicate to compatible cells");
}

TEST_CASE("only what every candidate lacks is named") {
    Cells cells{make_cell(0, "a"), make_cell(1, "b")};
    CHECK(error_of(cells, make_needs(1'000, 1)) == "insufficient resources: memory");
    CHECK(error_of(cells, make_needs(1'000, 1'000)) == "insufficient resources: disk, memory");
    fill_up(cells[0]);
    fill_up(cells[1]);
    CHECK(error_of(cells, make_needs()) == "insufficient resources: containers, disk, memory");
    cells[0].available_resources = {.memory_mb = 0, .disk_mb = 100, .containers = 1};
    cells[1].available_resources = {.memory_mb = 100, .disk_mb = 0, .containers = 1};
    CHECK(error_of(cells, make_needs()) == "insufficient resources");
    // A cell that the filters leave out is no candidate.
    cells[1].placement_tags = {"gpu"};
    CHECK(error_of(cells, make_needs()) == "insufficient resources: memory");
}

TEST_CASE("the most advanced error of a filter is kept") {
    Cells cells{make_cell(0, "a"), make_cell(1, "b"), make_cell(2, "c")};
    cells[0].rootfs_providers.clear();
    cells[1].placement_tags = {"gpu"};
    auto needs = make_needs();
    needs.volume_drivers = {"nfs"};
    CHECK(error_of(cells, needs) == "found no compatible cell with required volume drivers");
    cells[1].volume_drivers = {"nfs"};
    CHECK(error_of(cells, needs) == "found no compatible cell with no placement tags");
}

TEST_CASE("the cap counts what starts already") {
    Cells cells{make_cell(0, "z"), make_cell(1, "z")};
    cells[0].starting_container_count = 3;
    const auto placed = [&](std::int64_t cap) {
        return schedule(cells, unique_apps(4), {.max_starting = cap}).placed;
    };
    CHECK(placed(2) == 0);
    CHECK(placed(3) == 0);
    CHECK(placed(5) == 2);
    CHECK(placed(7) == 4);
    CHECK(placed(0) == 4);
    CHECK(placed(-1) == 4);
    CHECK(error_of(cells, make_needs(), {.max_starting = 3}) ==
          "waiting to start instance: reached in-flight start limit");
}

TEST_CASE("a cell takes no more starts than its limit") {
    Cells cells{make_cell(0, "z"), make_cell(1, "z")};
    cells[0].starting_container_count = 3;
    const auto results = schedule(cells, unique_apps(6), {.max_starting_per_cell = 4});
    CHECK(counts(cells, results) == std::vector<std::size_t>{1, 4});
    CHECK(results.lrps.back().error == "waiting to start instance: reached in-flight start limit");
    REQUIRE(results.lrps.back().why->find(Cause::starting));
    CHECK(results.lrps.back().why->find(Cause::starting)->cells == 2);
}

TEST_CASE("the memory of the proxy is reserved") {
    Cells cells{make_cell(0, "z")};
    cells[0].proxy_memory_allocation_mb = 9;
    Batch batch;
    for (int i = 0; i < 6; ++i) batch.lrps.push_back(make_lrp("a" + std::to_string(i), 0, 11));
    const auto results = schedule(cells, batch);
    CHECK(results.placed == 5);  // 5 x (11 + 9) fill it exactly
    // Memory 0 is no limit; the proxy must not make it one.
    cells[0].available_resources.memory_mb = 0;
    CHECK(schedule(cells, {.lrps = {make_lrp("b", 0, 0)}, .tasks = {}}).placed == 1);
}

TEST_CASE("totals of nothing and less than nothing take no work") {
    Cells cells{make_cell(0, "z")};
    auto& total = cells[0].total_resources;
    CHECK(error_of(cells, make_needs(0, 0)).empty());
    SECTION("memory") {
        total.memory_mb = 0;
        CHECK(error_of(cells, make_needs(0, 0)) == "insufficient resources: memory");
    }
    SECTION("disk") {
        total.disk_mb = -1;
        CHECK(error_of(cells, make_needs(0, 0)) == "insufficient resources: disk");
    }
    SECTION("containers") {
        total.containers = 0;
        CHECK(error_of(cells, make_needs(0, 0)) == "insufficient resources: containers");
    }
    SECTION("overcommitment was lowered") {
        cells[0].available_resources.memory_mb = -10;
        CHECK(error_of(cells, make_needs(0, 0)) == "insufficient resources: memory");
    }
}

TEST_CASE("states with nulls and unknown members are read") {
    const auto state = base::json::decode<CellState>(
            R"({"cell_id":"c","LRPs":null,"Tasks":null,"VolumeDrivers":null,"PlacementTags":null,)"
            R"("RootFSProviders":{"preloaded":{"type":"fixed_set","set":{"linux":{}}}},"new":1,)"
            R"("AvailableResources":{"MemoryMB":9,"DiskMB":9,"Containers":9},"CachedImages":["i"],)"
            R"("TotalResources":{"MemoryMB":9,"DiskMB":9,"Containers":9,"CPUMillis":4000}})",
            base::json::Rest::ignore);
    REQUIRE(state);
    CHECK(state->cached_images == std::vector<std::string>{"i"});
    CHECK(state->total_resources.cpu_millis == 4'000);
    CHECK(error_of({*state}, make_needs()).empty());
}

TEST_CASE("a cell that has the image is preferred when asked for") {
    Cells cells{make_cell(0, "z"), make_cell(1, "z")};
    preload_unique(cells[1], 20);
    cells[1].cached_images = {kRootfs};
    CHECK(winner_of(cells, one_app(1)) == cells[0].cell_id);
    CHECK(winner_of(cells, one_app(1), {.missing_image_weight = 0.5}) == cells[1].cell_id);
    CHECK(winner_of(cells, one_app(1), {.missing_image_weight = 0.1}) == cells[0].cell_id);
}

TEST_CASE("processors are a resource when asked for") {
    Cells cells{make_cell(0, "z"), make_cell(1, "z")};
    cells[0].total_resources.cpu_millis = cells[0].available_resources.cpu_millis = 1'000;
    auto needs = make_needs();
    needs.cpu_millis = 2'000;
    CHECK(error_of({cells[0]}, needs).empty());
    CHECK(error_of({cells[0]}, needs, {.count_cpu = true}) == "insufficient resources: cpu");
    CHECK(error_of(cells, needs, {.count_cpu = true}).empty());  // the other does not say
}

TEST_CASE("an explanation counts who refused and names the largest slot") {
    Cells cells = make_cells(8);
    cells[0].placement_tags = {"gpu"};
    fill_up(cells[1]);
    cells[2].available_resources.memory_mb = 5;
    preload(cells[4], "app", 1);
    const Batch batch{.lrps = {make_lrp("app", 0, 10)}, .tasks = {}};
    const auto why = schedule(cells, batch).lrps[0].why;
    REQUIRE(why);
    CHECK(why->complete);
    CHECK(why->cells == 8);
    CHECK(why->find(Cause::tags)->examples == std::vector<std::string>{"cell-0000"});
    CHECK(why->find(Cause::memory)->cells == 2);
    CHECK(why->find(Cause::containers)->cells == 1);
    CHECK(why->find(Cause::fuller_zone)->examples ==
          std::vector<std::string>{"cell-0004", "cell-0006"});
    CHECK(why->fitting == 3);
    REQUIRE(why->best.size() == 3);
    CHECK(why->best[0].cell_id == "cell-0003");
    CHECK(why->largest_free.memory_mb == 100);
    CHECK(why->text().find("1 refused for placement tags (cell-0000)") != std::string::npos);
    // Nothing left to spend on it: in short.
    const auto brief = schedule(cells, batch, {.explain_budget = 0}).lrps[0].why;
    CHECK_FALSE(brief->complete);
    CHECK(brief->fitting == 7);
}

TEST_CASE("a failure says how large the largest slot is") {
    Cells cells = make_cells(4);
    for (auto& cell : cells) cell.available_resources.memory_mb = 30;
    cells[2].available_resources.memory_mb = 40;
    const auto results = schedule(cells, {.lrps = {make_lrp("app", 0, 50)}, .tasks = {}});
    CHECK(results.lrps[0].why->largest_cell == "cell-0002");
    CHECK(results.lrps[0].why->largest_free.memory_mb == 40);
    CHECK(results.lrps[0].why->find(Cause::memory)->cells == 4);
}
