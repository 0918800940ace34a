// Stacks that lie as tar files in a directory of the operator (executor-rep §15). Used by
// cell/settings.cpp.
#pragma once

#include "base/result.hpp"
#include "rep/plan/placement.hpp"

#include <string>

namespace cell {

inline constexpr std::size_t kMaxExtraRootfs = 1'000;

// NAME.tar becomes the stack NAME. Errc::conflict when the cell has a stack of that name already.
base::Result<void> add_extra_stacks(const std::string& directory, rep::plan::Stacks& stacks);

}  // namespace cell
