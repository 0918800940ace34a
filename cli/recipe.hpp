// From the JSON of a recipe to what an executor is asked: a run request (or a whole container) as
// the executor's API has them, or a task as the receptor's has it. Pure; used by `task run`.
#pragma once

#include "base/result.hpp"
#include "executor/api/types.hpp"

#include <string>
#include <string_view>

namespace cli {

// The source of the cell's own lines in a task that we run, so that they are not mixed with what
// the task writes.
inline constexpr std::string_view kCellSource = "CELL";

struct Recipe {
    executor::api::AllocationRequest allocation;
    executor::api::RunRequest run;
    std::string result_file;  // in the container; "" for none
};

// `guid` wins over the recipe's; with neither there is a random one. Errc::invalid names the field.
base::Result<Recipe> parse_recipe(std::string_view text, std::string_view guid);

}  // namespace cli
