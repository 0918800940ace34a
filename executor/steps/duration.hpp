// Durations as the texts of executor-rep §5.7 and §7 show them: "1s", "1m30s", "1h0m0s", "250ms".
// Used by the steps that say how long something took.
#pragma once

#include <chrono>
#include <string>

namespace executor {

std::string to_go_text(std::chrono::nanoseconds duration);

// What was measured, without digits that mean nothing: to the millisecond.
std::string to_go_text_rounded(std::chrono::nanoseconds duration);

}  // namespace executor
