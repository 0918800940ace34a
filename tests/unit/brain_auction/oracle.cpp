#include "tests/unit/brain_auction/oracle.hpp"

#include "brain/auction/texts.hpp"
#include "rep/plan/placement.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace test {

namespace {

using namespace brain::auction;
using rep::api::CellState;
using rep::api::Needs;

struct World {
    std::vector<CellState> cells;  // by id; changed as work is placed
    std::map<std::string, double> first_fit;
    const Settings& settings;
    std::int64_t in_flight = 0;
};

bool over(const rep::api::Lrp& lrp) {
    return lrp.state == "SHUTDOWN" || lrp.state == "CRASHED";
}

std::int64_t instances(const World& world, const CellState& cell, const std::string& guid) {
    return std::ranges::count_if(cell.lrps, [&](const auto& lrp) {
        return lrp.process_guid == guid && (world.settings.count_completed || !over(lrp));
    });
}

std::int64_t tasks(const World& world, const CellState& cell) {
    return std::ranges::count_if(cell.tasks, [&](const auto& task) {
        return world.settings.count_completed || task.state != "Completed";
    });
}

double score_of(
        const World& world, const CellState& cell, const Needs& needs, const std::string* guid) {
    const auto& settings = world.settings;
    const auto size = size_on(needs, guid == nullptr, cell.proxy_memory_allocation_mb);
    const bool cached = std::ranges::count(cell.cached_images, needs.rootfs) > 0;
    return score(
            load(used(cell.available_resources, cell.total_resources, settings),
                 cell.starting_container_count, guid ? world.first_fit.at(cell.cell_id) : 0.0,
                 settings),
            share(size, cell.total_resources, settings),
            guid ? instances(world, cell, *guid) : tasks(world, cell),
            cached ? 0 : settings.missing_image_weight);
}

bool waits(const World& world, const CellState& cell) {
    const auto limit = world.settings.max_starting_per_cell;
    return limit > 0 && cell.starting_container_count >= limit;
}

bool takes(const World& world, const CellState& cell, const Needs& needs, bool task) {
    return fits(size_on(needs, task, cell.proxy_memory_allocation_mb), cell.available_resources,
                cell.total_resources, world.settings) &&
           !waits(world, cell);
}

int stage(const CellState& cell, const Needs& needs) {
    if (!rep::plan::rootfs_matches(cell.rootfs_providers, needs.rootfs)) return 0;
    if (!rep::plan::drivers_match(cell.volume_drivers, needs.volume_drivers)) return 1;
    return rep::plan::tags_match(
                   cell.placement_tags, cell.optional_placement_tags, needs.placement_tags)
                   ? 3
                   : 2;
}

std::string error_of(const World& world, const Needs& needs, bool task) {
    int furthest = 0;
    bool room = false;
    std::set<std::string> common{"containers", "cpu", "disk", "memory"};
    for (const auto& cell : world.cells) {
        furthest = std::max(furthest, stage(cell, needs));
        if (stage(cell, needs) < 3) continue;
        const auto size = size_on(needs, task, cell.proxy_memory_allocation_mb);
        const auto& free = cell.available_resources;
        const auto& total = cell.total_resources;
        room |= fits(size, free, total, world.settings);
        if (free.containers >= 1 && total.containers > 0) common.erase("containers");
        if (free.disk_mb >= size.disk_mb && total.disk_mb > 0) common.erase("disk");
        if (free.memory_mb >= size.memory_mb && total.memory_mb > 0) common.erase("memory");
        if (!counts_cpu(total, world.settings) || free.cpu_millis >= size.cpu_millis)
            common.erase("cpu");
    }
    if (furthest == 0) return std::string(kNoRootfs);
    if (furthest == 1) return std::string(kNoDrivers);
    if (furthest == 2) return no_tags(needs.placement_tags);
    if (room) return std::string(kInFlight);
    return insufficient({common.begin(), common.end()});
}

struct Found {
    CellState* cell = nullptr;
    double score = 1e20;
};

void look(World& world, const Needs& needs, const std::string* guid, CellState& cell, Found& best) {
    if (stage(cell, needs) < 3 || !takes(world, cell, needs, guid == nullptr)) return;
    const auto score = score_of(world, cell, needs, guid);
    // Strictly less: the first cell seen wins ties, and cells are seen by id.
    if (score < best.score) best = {.cell = &cell, .score = score};
}

CellState* find_for_lrp(World& world, const Needs& needs, const std::string& guid) {
    std::map<std::string, std::int64_t> zones;
    for (const auto& cell : world.cells) zones[cell.zone] += instances(world, cell, guid);
    std::set<std::int64_t> groups;
    for (const auto& [zone, count] : zones) groups.insert(count);
    for (const auto group : groups) {
        Found best;
        for (auto& cell : world.cells)
            if (zones[cell.zone] == group) look(world, needs, &guid, cell, best);
        if (best.cell != nullptr) return best.cell;
    }
    return nullptr;
}

CellState* find_for_task(World& world, const Needs& needs) {
    Found best;
    for (auto& cell : world.cells) look(world, needs, nullptr, cell, best);
    return best.cell;
}

void reserve(World& world, CellState& cell, const Needs& needs, bool task) {
    const auto size = size_on(needs, task, cell.proxy_memory_allocation_mb);
    cell.available_resources.memory_mb -= size.memory_mb;
    cell.available_resources.disk_mb -= size.disk_mb;
    cell.available_resources.containers -= 1;
    cell.available_resources.cpu_millis -= size.cpu_millis;
    ++cell.starting_container_count;
    ++world.in_flight;
}

Verdict place(World& world, const Batch& batch, const Item& item) {
    const auto& needs =
            item.task ? batch.tasks[item.position].needs : batch.lrps[item.position].needs;
    if (world.settings.max_starting > 0 && world.in_flight >= world.settings.max_starting)
        return {.cell_id = {}, .error = std::string(kInFlight)};
    auto* cell = item.task ? find_for_task(world, needs)
                           : find_for_lrp(world, needs, batch.lrps[item.position].key.process_guid);
    if (cell == nullptr) return {.cell_id = {}, .error = error_of(world, needs, item.task)};
    reserve(world, *cell, needs, item.task);
    if (item.task) {
        cell->tasks.emplace_back().state = "Running";
    } else {
        cell->lrps.emplace_back().process_guid = batch.lrps[item.position].key.process_guid;
    }
    return {.cell_id = cell->cell_id, .error = {}};
}

}  // namespace

OracleResults naive_schedule(
        const std::vector<CellState>& cells, const Batch& batch, const Settings& settings) {
    World world{.cells = {}, .first_fit = {}, .settings = settings};
    for (const auto& cell : cells)
        if (!cell.evacuating) world.cells.push_back(cell);
    std::ranges::sort(world.cells, {}, &CellState::cell_id);
    std::ranges::stable_sort(world.cells, {}, &CellState::cell_index);
    std::map<std::string, int> next;
    for (const auto& cell : world.cells) {
        world.first_fit[cell.cell_id] = next[cell.zone]++ * settings.bin_pack_first_fit_weight;
        world.in_flight += cell.starting_container_count;
    }
    std::ranges::sort(world.cells, {}, &CellState::cell_id);
    OracleResults out;
    for (const auto& item : order_of_work(batch, settings))
        (item.task ? out.tasks : out.lrps).push_back(place(world, batch, item));
    return out;
}

}  // namespace test
