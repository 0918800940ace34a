// What a cell says, as tables and lines for people. Pure; used by the commands of cells.
#pragma once

#include "cli/table.hpp"
#include "executor/api/log_record.hpp"
#include "executor/api/types.hpp"
#include "rep/api/types.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace cli {

Table cell_summary(const rep::api::CellState& state);
Table lrp_table(const std::vector<rep::api::Lrp>& lrps);
Table task_table(const std::vector<rep::api::Task>& tasks);
Table cell_container_table(
        const std::vector<executor::api::Container>& containers,
        std::chrono::system_clock::time_point now);

// "2 LRPs, 1 task"
std::string work_left(const rep::api::CellState& state);

// One line with its end, safe for a terminal: time, source, kind, text.
std::string log_line(const executor::api::LogRecord& record);
// What is said where a reader was too slow.
std::string lost_lines(std::uint64_t count);

}  // namespace cli
