// Cells and work of the auction's tests, and figures of what came out.
#pragma once

#include "brain/auction/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace test {

using brain::auction::Batch;
using brain::auction::Decision;
using brain::auction::LrpAuction;
using brain::auction::Results;
using brain::auction::schedule;
using brain::auction::Settings;
using brain::auction::TaskAuction;
using rep::api::CellState;
using rep::api::Needs;
using Cells = std::vector<CellState>;

inline constexpr const char* kRootfs = "preloaded:linux";

// Sorts as the numbers do.
inline std::string cell_name(std::size_t index) {
    auto digits = std::to_string(index);
    return "cell-" + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
}

inline CellState make_cell(std::size_t index, std::string zone, std::int64_t size = 100) {
    CellState out;
    out.cell_id = cell_name(index);
    out.cell_index = static_cast<std::int64_t>(index);
    out.rootfs_providers["preloaded"].names = {"linux"};
    out.rootfs_providers["docker"].arbitrary = true;
    out.total_resources = {.memory_mb = size, .disk_mb = size, .containers = size};
    out.available_resources = out.total_resources;
    out.zone = std::move(zone);
    return out;
}

// Alternating in two zones (auction §13).
inline Cells make_cells(std::size_t count, std::int64_t size = 100) {
    Cells out;
    for (std::size_t i = 0; i < count; ++i)
        out.push_back(make_cell(i, i % 2 == 0 ? "z0" : "z1", size));
    return out;
}

inline Needs make_needs(std::int64_t memory = 1, std::int64_t disk = 1) {
    Needs out;
    out.rootfs = kRootfs;
    out.memory_mb = memory;
    out.disk_mb = disk;
    return out;
}

inline LrpAuction make_lrp(
        const std::string& guid, std::int32_t index, std::int64_t mb = 1, std::int64_t disk = 1) {
    return {.key = {.process_guid = guid, .index = index, .domain = "d"},
            .needs = make_needs(mb, disk)};
}

inline TaskAuction make_task(const std::string& guid, std::int64_t mb = 1, std::int64_t disk = 1) {
    return {.guid = guid, .domain = "d", .needs = make_needs(mb, disk)};
}

// Runs already; takes its room.
inline void preload(CellState& cell, const std::string& guid, std::int32_t index = 0) {
    rep::api::Lrp lrp;
    lrp.process_guid = guid;
    lrp.index = index;
    lrp.instance_guid = guid + "-" + std::to_string(index);
    lrp.domain = "d";
    lrp.needs = make_needs();
    lrp.state = rep::api::kRunning;
    cell.lrps.push_back(lrp);
    cell.available_resources.memory_mb -= 1;
    cell.available_resources.disk_mb -= 1;
    cell.available_resources.containers -= 1;
}

inline void preload_unique(CellState& cell, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
        preload(cell, "old-" + cell.cell_id + "-" + std::to_string(i));
}

// One guid each, index running over the batch.
inline Batch unique_apps(std::size_t count) {
    Batch out;
    for (std::size_t i = 0; i < count; ++i)
        out.lrps.push_back(make_lrp("app-" + std::to_string(i), static_cast<std::int32_t>(i)));
    return out;
}

inline Batch one_app(std::size_t count) {
    Batch out;
    for (std::size_t i = 0; i < count; ++i)
        out.lrps.push_back(make_lrp("app", static_cast<std::int32_t>(i)));
    return out;
}

inline std::size_t auctioned(const Results& results, const std::string& cell_id) {
    for (const auto& work : results.work)
        if (work.cell_id == cell_id) return work.lrps.size() + work.tasks.size();
    return 0;
}

// New ones per cell, in the order of the cells; those without are 0.
inline std::vector<std::size_t> counts(const Cells& cells, const Results& results) {
    std::vector<std::size_t> out;
    for (const auto& cell : cells) out.push_back(auctioned(results, cell.cell_id));
    return out;
}

// Standard deviation of used memory over its mean (auction §13); 0 is perfectly even.
inline double distribution(const Cells& cells, const Results& results) {
    std::map<std::string, double> memory;
    for (const auto& cell : cells)
        memory[cell.cell_id] = static_cast<double>(
                cell.total_resources.memory_mb - cell.available_resources.memory_mb);
    for (const auto& work : results.work) {
        for (const auto& lrp : work.lrps)
            memory[work.cell_id] += static_cast<double>(lrp.needs.memory_mb);
        for (const auto& task : work.tasks)
            memory[work.cell_id] += static_cast<double>(task.needs.memory_mb);
    }
    double sum = 0;
    double squares = 0;
    for (const auto& [cell, mb] : memory) sum += mb;
    const auto mean = sum / static_cast<double>(memory.size());
    for (const auto& [cell, mb] : memory) squares += (mb - mean) * (mb - mean);
    return std::sqrt(squares / static_cast<double>(memory.size())) / mean;
}

inline std::size_t spread(const std::vector<std::size_t>& counts) {
    const auto [least, most] = std::ranges::minmax(counts);
    return most - least;
}

inline const Decision& decision_of(
        const Batch& batch, const Results& results, const std::string& guid, int index) {
    const auto at = std::ranges::find_if(results.lrps, [&](const Decision& decision) {
        const auto& key = batch.lrps[decision.position].key;
        return key.process_guid == guid && key.index == index;
    });
    return *at;
}

}  // namespace test
