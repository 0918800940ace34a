// Running a helper program of the host to its end: its input, its output, a deadline. Used for
// plugins; nothing of ours that clients wait for in the usual way runs programs.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace base {

struct ProgramCall {
    std::string path;  // with a slash: nothing is searched
    std::vector<std::string> arguments;
    std::vector<std::string> environment;  // NAME=value; nothing else is passed on
    std::string input;                     // the whole of its standard input
    std::size_t output_limit = std::size_t{1} << 20;
    std::chrono::milliseconds deadline{120'000};
};

struct ProgramEnd {
    std::int32_t code = 0;  // 128 + n when signal n killed it
    std::string output;
    std::string complaint;  // the end of its standard error, kComplaintBytes at most
};

inline constexpr std::size_t kComplaintBytes = std::size_t{4} << 10;

// Blocks. Errc::timeout after the deadline, Errc::exhausted over the output limit: the program and
// its process group are killed then. Errors name the program. What it leaves running in the
// background is not waited for.
Result<ProgramEnd> run_program(const ProgramCall& call);

}  // namespace base
