#include "brain/auction/census.hpp"

#include "brain/api/task.hpp"

#include <algorithm>

namespace brain::auction {

namespace {

// Over, and only waiting to be deleted: nothing to keep away from.
bool counts(const rep::api::Lrp& lrp, const Settings& settings) {
    return settings.count_completed ||
           (lrp.state != rep::api::kShutdown && lrp.state != rep::api::kCrashed);
}

bool counts(const rep::api::Task& task, const Settings& settings) {
    return settings.count_completed || task.state != to_string(api::TaskState::completed);
}

}  // namespace

Census::Census(
        const CellTable& table, const Forest& forest, const Batch& batch, const Settings& settings)
    : table_(table),
      forest_(forest),
      by_rank_(table.rows().size(), 0),
      by_zone_(table.zones(), 0),
      tasks_(forest.no_counts()) {
    for (const auto& lrp : batch.lrps) (void)processes_[lrp.key.process_guid];
    for (std::uint32_t rank = 0; rank < table.rows().size(); ++rank) {
        const auto& row = table.rows()[rank];
        for (const auto& lrp : row.state->lrps) {
            if (!counts(lrp, settings)) continue;
            const auto known = processes_.find(lrp.process_guid);
            if (known != processes_.end()) add(known->second, rank);
        }
        const auto tasks = std::ranges::count_if(
                row.state->tasks, [&](const auto& task) { return counts(task, settings); });
        if (tasks > 0) forest.add_count(tasks_, row, static_cast<std::int32_t>(tasks));
    }
}

void Census::add(Process& process, std::uint32_t rank) {
    if (process.many) {
        forest_.add_count(process.many->by_node, table_.rows()[rank], 1);
        ++process.many->by_zone[table_.rows()[rank].zone];
        return;
    }
    for (auto& [cell, count] : process.few)
        if (cell == rank) {
            ++count;
            return;
        }
    process.few.emplace_back(rank, 1);
    if (process.few.size() > kFewCells) grow(process);
}

void Census::grow(Process& process) {
    process.many = std::make_unique<Many>();
    process.many->by_node = forest_.no_counts();
    process.many->by_zone.resize(table_.zones(), 0);
    for (const auto& [rank, count] : process.few) {
        forest_.add_count(process.many->by_node, table_.rows()[rank], count);
        process.many->by_zone[table_.rows()[rank].zone] += count;
    }
    process.few = {};
}

void Census::spread(const Process& process, std::int32_t sign) {
    for (const auto& [rank, count] : process.few) {
        by_rank_[rank] += sign * count;
        by_zone_[table_.rows()[rank].zone] += sign * count;
    }
}

Same Census::same(std::string_view process_guid) {
    if (current_ != nullptr) spread(*current_, -1);
    current_ = &processes_[process_guid];
    spread(*current_, 1);
    if (current_->many) return {.by_rank = nullptr, .by_node = current_->many->by_node.data()};
    return {.by_rank = by_rank_.data(), .by_node = nullptr};
}

std::int64_t Census::in_zone(std::uint32_t zone) const {
    return current_->many ? current_->many->by_zone[zone] : by_zone_[zone];
}

std::int64_t Census::on_cell(std::uint32_t rank) const {
    if (!current_->many) return by_rank_[rank];
    return forest_.count(current_->many->by_node, table_.rows()[rank]);
}

void Census::placed(std::uint32_t rank) {
    spread(*current_, -1);
    add(*current_, rank);
    spread(*current_, 1);
}

std::int64_t Census::tasks_on(std::uint32_t rank) const {
    return forest_.count(tasks_, table_.rows()[rank]);
}

void Census::placed_task(std::uint32_t rank) {
    forest_.add_count(tasks_, table_.rows()[rank], 1);
}

}  // namespace brain::auction
