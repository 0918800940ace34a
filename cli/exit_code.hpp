// The exit codes of `cloche` (conventions §15), and which one an error is. Used by main and by run
// and exec.
#pragma once

#include "base/error.hpp"

namespace cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitUnavailable = 4;
// run and exec return the process's own code, so what goes wrong before it runs has codes that
// programs seldom use.
inline constexpr int kExitNotStarted = 125;
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNoExecutable = 127;

int exit_code(const base::Error& error);
// For an error of starting a process: 126, 127 or 125.
int start_exit_code(const base::Error& error);

}  // namespace cli
