// The scheduler against the oracle in random worlds: the same winners and the same errors, item by
// item.
#include "tests/unit/brain_auction/oracle.hpp"

#include "tests/unit/brain_auction/worlds.hpp"

#include <catch2/catch.hpp>

using namespace test;

namespace {

class Dice {
  public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}

    std::int64_t number(std::int64_t least, std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>(least, most)(engine_);
    }

    bool chance(int percent) { return number(1, 100) <= percent; }

    template <class T>
    const T& one_of(const std::vector<T>& all) {
        return all[static_cast<std::size_t>(number(0, static_cast<std::int64_t>(all.size()) - 1))];
    }

    std::mt19937_64& engine() { return engine_; }

  private:
    std::mt19937_64 engine_;
};

const std::vector<std::string> kStates{"RUNNING", "CLAIMED", "SHUTDOWN", "CRASHED"};

std::string some_process(Dice& dice, std::int64_t processes) {
    return "app-" + std::to_string(dice.number(0, processes));
}

void fill(Dice& dice, CellState& cell, std::int64_t processes) {
    for (auto left = dice.number(0, 8); left > 0; --left) {
        preload(cell, some_process(dice, processes), static_cast<std::int32_t>(left));
        cell.lrps.back().state = dice.one_of(kStates);
    }
    for (auto left = dice.number(0, 2); left > 0; --left)
        cell.tasks.emplace_back().state = dice.chance(50) ? "Running" : "Completed";
    cell.starting_container_count = dice.chance(50) ? 0 : dice.number(0, 4);
}

CellState random_cell(Dice& dice, std::size_t index, std::int64_t zones, bool alike) {
    auto cell = make_cell(index, "z" + std::to_string(dice.number(1, zones)));
    cell.cell_index = dice.number(0, 3);
    if (!alike) {
        cell.total_resources = {
                .memory_mb = dice.number(10, 200),
                .disk_mb = dice.number(10, 200),
                .containers = dice.number(5, 60),
                .cpu_millis = dice.chance(60) ? dice.number(20, 200) : 0};
        if (dice.chance(3)) cell.total_resources.disk_mb = 0;
        cell.available_resources = cell.total_resources;
        if (dice.chance(5)) cell.available_resources.memory_mb = -5;
        if (dice.chance(30)) cell.proxy_memory_allocation_mb = dice.number(0, 3);
    }
    if (dice.chance(15)) cell.rootfs_providers["preloaded"].names = {"other"};
    if (dice.chance(15)) cell.volume_drivers = {"nfs"};
    if (dice.chance(15)) cell.placement_tags = {"gpu"};
    if (dice.chance(15)) cell.optional_placement_tags = {"fast", "big"};
    if (dice.chance(10)) cell.cached_images = {"preloaded:other", kRootfs};
    cell.evacuating = dice.chance(4);
    return cell;
}

Needs random_needs(Dice& dice, bool alike) {
    auto needs = alike ? make_needs() : make_needs(dice.number(0, 9), dice.number(0, 9));
    if (!alike && dice.chance(50)) needs.cpu_millis = dice.number(0, 20);
    if (dice.chance(8))
        needs.rootfs = dice.one_of<std::string>(
                {"preloaded:other", "docker:///a/b", "docker:///c/d#1", "none:x", "nothing"});
    if (dice.chance(5)) needs.volume_drivers = {dice.chance(70) ? "nfs" : "smb"};
    if (dice.chance(5)) needs.placement_tags = {"gpu"};
    if (dice.chance(5)) needs.placement_tags = {"fast"};
    if (dice.chance(2)) needs.placement_tags = {"gpu", "fast", "none"};
    return needs;
}

Settings random_settings(Dice& dice) {
    Settings out;
    out.starting_weight = dice.one_of<double>({0, 0.25, 0.25, 0.5, 1});
    out.max_starting = dice.chance(20) ? dice.number(-1, 60) : 0;
    out.max_starting_per_cell = dice.chance(30) ? dice.number(1, 8) : 0;
    out.bin_pack_first_fit_weight = dice.chance(25) ? dice.one_of<double>({0.1, 0.25, 0.75}) : 0;
    out.missing_image_weight = dice.chance(25) ? 0.3 : 0;
    out.count_cpu = dice.chance(30);
    out.count_completed = dice.chance(50);
    out.first_index_first = dice.chance(70);
    out.explain_budget = dice.chance(50) ? 0 : 1'000;
    return out;
}

void compare(const Cells& cells, const Batch& batch, const Settings& settings) {
    const auto got = schedule(cells, batch, settings);
    const auto wanted = naive_schedule(cells, batch, settings);
    REQUIRE(got.lrps.size() == wanted.lrps.size());
    REQUIRE(got.tasks.size() == wanted.tasks.size());
    const auto same = [&](const auto& decisions, const auto& verdicts) {
        for (std::size_t i = 0; i < decisions.size(); ++i)
            if (decisions[i].cell_id != verdicts[i].cell_id ||
                decisions[i].error != verdicts[i].error) {
                CAPTURE(i, decisions[i].error, verdicts[i].error);
                REQUIRE(decisions[i].cell_id == verdicts[i].cell_id);
                REQUIRE(decisions[i].error == verdicts[i].error);
            }
    };
    same(got.lrps, wanted.lrps);
    same(got.tasks, wanted.tasks);
    std::size_t delivered = 0;
    for (const auto& work : got.work) delivered += work.lrps.size() + work.tasks.size();
    CHECK(delivered == got.placed);
    CHECK(got.placed + got.failed == batch.size());
}

void random_world(std::uint64_t seed) {
    CAPTURE(seed);
    Dice dice(seed);
    const bool alike = dice.chance(35);  // ties everywhere
    const auto zones = dice.number(1, 5);
    const auto processes = dice.one_of<std::int64_t>({0, 3, 40});
    Cells cells;
    for (auto left = dice.number(0, dice.chance(20) ? 150 : 30); left > 0; --left) {
        cells.push_back(random_cell(dice, static_cast<std::size_t>(left), zones, alike));
        if (dice.chance(60)) fill(dice, cells.back(), processes);
    }
    std::shuffle(cells.begin(), cells.end(), dice.engine());
    if (std::ranges::all_of(cells, &CellState::evacuating)) return;
    Batch batch;
    for (auto left = dice.number(0, 300); left > 0; --left)
        batch.lrps.push_back(
                {.key = {.process_guid = some_process(dice, processes),
                         .index = static_cast<std::int32_t>(dice.number(0, 5)),
                         .domain = "d"},
                 .needs = random_needs(dice, alike)});
    for (auto left = dice.number(0, 60); left > 0; --left)
        batch.tasks.push_back(
                {.guid = "task-" + std::to_string(left),
                 .domain = "d",
                 .needs = random_needs(dice, alike)});
    compare(cells, batch, random_settings(dice));
}

}  // namespace

TEST_CASE("the scheduler decides as if it had looked at every cell") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) random_world(seed);
}

TEST_CASE("a process on more cells than a list holds is counted as well as a small one") {
    auto cells = make_cells(150);
    for (std::size_t i = 0; i < cells.size(); i += 3) preload(cells[i], "app", 1);
    auto batch = one_app(400);
    for (int i = 0; i < 200; ++i) batch.lrps.push_back(make_lrp("other-" + std::to_string(i), i));
    compare(cells, batch, {});
    compare(cells, batch, {.bin_pack_first_fit_weight = 0.5});
}

TEST_CASE("the order in which states arrive changes nothing") {
    Dice dice(7);
    auto cells = make_cells(40);
    for (auto& cell : cells) fill(dice, cell, 10);
    auto batch = unique_apps(200);
    const auto first = schedule(cells, batch);
    std::shuffle(cells.begin(), cells.end(), dice.engine());
    std::shuffle(batch.lrps.begin(), batch.lrps.end(), dice.engine());
    const auto second = schedule(cells, batch);
    CHECK(first.work == second.work);
}
