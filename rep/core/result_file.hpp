// The result of a task: the first file of a tar stream out of its container (executor-rep §17.5).
// The container controls every byte of it. Used by the rep's task completion.
#pragma once

#include "executor/api/executor.hpp"

#include <string>

namespace rep::core {

// Errc::exhausted: "result file is too large (over 51200 bytes)"; corrupt: no tar, no file in it.
base::Result<std::string> read_result(executor::api::FileStream& tar);

}  // namespace rep::core
