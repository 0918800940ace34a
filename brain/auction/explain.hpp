// Why an item went where it went, or nowhere: all cells looked at once more (auction §9, §17).
// Private to brain/auction.
#pragma once

#include "brain/auction/census.hpp"

#include <functional>
#include <limits>
#include <memory>
#include <string>

namespace brain::auction {

// One item, before it is reserved.
struct Question {
    const rep::api::Needs& needs;
    const Verdict& verdict;
    bool task = false;
    std::int64_t last_group = std::numeric_limits<std::int64_t>::max();  // zones with more: passed
    std::function<Terms(std::uint32_t)> terms;                           // of a cell by rank
};

std::shared_ptr<Explanation> explain(
        const CellTable& table,
        const Census& census,
        const Settings& settings,
        const Question& question);

// The error of an item that found no cell.
std::string placement_error(
        const Explanation& why, const Verdict& verdict, const rep::api::Needs& needs);

}  // namespace brain::auction
