// Figures: what a brain counts about itself, for metrics, health and the dashboard (lifecycle §10).
// Made by brain/core. What is not known is not there: never zero.
#pragma once

#include "brain/model/world.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace brain::core {

struct Figures {
    model::Counts counts;
    std::optional<std::size_t> missing, extra, missing_cells;  // of the last whole pass
    std::uint64_t passes = 0;
    std::optional<std::chrono::microseconds> last_pass;
    std::optional<std::chrono::microseconds> last_pass_held;  // under the lock
    std::uint64_t tasks_kicked = 0;
    std::uint64_t commits = 0, operations = 0, failed_commits = 0;
    std::optional<std::chrono::microseconds> last_commit;
    std::size_t waiting = 0;  // operations that are not durable yet
    std::size_t event_readers = 0;
    std::vector<std::string> fresh_domains;
    std::chrono::milliseconds clock_drift{0};  // of the wall clock against ours since the start
};

}  // namespace brain::core
