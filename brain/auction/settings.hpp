// Settings of the auction (auction §12): what the daemon's configuration may change about where
// work goes. Used by the scheduler, the rebalancer and who configures them.
#pragma once

#include <cstdint>

namespace brain::auction {

struct Settings {
    double starting_weight = 0.25;  // of each container that starts on a cell; useful: 0 to 1
    // Containers that start at once, on all cells and on one; 0 and less: no limit.
    std::int64_t max_starting = 0;
    std::int64_t max_starting_per_cell = 0;

    // Off by default.
    double bin_pack_first_fit_weight = 0;  // fill the cells of a zone in order of their index
    double missing_image_weight = 0;       // against cells that have to pull the image first
    bool count_cpu = false;                // a fourth resource, where cells and work name it

    // As Diego does, for replaying its decisions.
    bool count_completed = false;   // instances and tasks that are over are in the way of others
    bool first_index_first = true;  // false: behind tasks when no LRP has an index above 0

    // Looks at a cell that one round may spend on saying why; what is over is said in short.
    std::uint64_t explain_budget = 2'000'000;
};

}  // namespace brain::auction
