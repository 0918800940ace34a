// Processes by descriptor, so that a reused pid is never meant. Used by garden/engine.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace base::sys {

Result<Fd> open_process(std::int32_t pid);               // pidfd_open; not_found when there is none
Result<void> signal_process(FdRef process, int number);  // pidfd_send_signal; an ended one is fine
Result<bool> has_ended(FdRef process);                   // without waiting and without reaping

}  // namespace base::sys
