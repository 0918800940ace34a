// Census: how many instances of each process of the batch are on each cell and in each zone, kept
// while work is placed. Looking at all instances of all cells for each placement is what makes
// auctions slow (auction §12). Private to brain/auction.
#pragma once

#include "brain/auction/forest.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace brain::auction {

// A process on more cells than these gets a tree of its own: leaving its cells out one by one would
// cost more. Its memory is that of the forest's counts, so it must not be for everybody.
inline constexpr std::size_t kFewCells = 64;

class Census {
  public:
    // Counts what the cells have of the processes and the tasks of the batch. All outlive it.
    Census(const CellTable& table,
           const Forest& forest,
           const Batch& batch,
           const Settings& settings);

    // One process at a time, until the next call.
    Same same(std::string_view process_guid);
    // Of the process that same() was last asked for.
    std::int64_t in_zone(std::uint32_t zone) const;
    std::int64_t on_cell(std::uint32_t rank) const;
    void placed(std::uint32_t rank);

    Same tasks() const { return {.by_rank = nullptr, .by_node = tasks_.data()}; }

    std::int64_t tasks_on(std::uint32_t rank) const;
    void placed_task(std::uint32_t rank);

  private:
    struct Many {
        std::vector<std::int32_t> by_node;
        std::vector<std::int32_t> by_zone;
    };

    struct Process {
        std::vector<std::pair<std::uint32_t, std::int32_t>> few;  // rank, count
        std::unique_ptr<Many> many;
    };

    void add(Process& process, std::uint32_t rank);
    void grow(Process& process);
    void spread(const Process& process, std::int32_t sign);

    const CellTable& table_;
    const Forest& forest_;
    std::unordered_map<std::string_view, Process> processes_;
    Process* current_ = nullptr;
    std::vector<std::int32_t> by_rank_;  // of the current one, when it is on few cells
    std::vector<std::int32_t> by_zone_;
    std::vector<std::int32_t> tasks_;
};

}  // namespace brain::auction
