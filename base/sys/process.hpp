// Start a program with exactly the descriptors it gets, and reap it; see pidfd.hpp for the rest.
// Used by garden/launch, base/program and tests.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace base::sys {

struct Spawned {
    pid_t pid = 0;
    Fd pidfd;
};

// posix_spawn of an open (sealed) program in a new session: descriptors 0-2 are /dev/null, `fds`
// become 3, 4, …, the program itself comes after them; everything else is closed. Signals are at
// their defaults, the environment is empty.
Result<Spawned> spawn_detached(
        FdRef program, std::span<const std::string> argv, std::span<const FdRef> fds);

// posix_spawn of a host program in a new session (so its id is that of its process group, too) with
// exactly these three descriptors and this environment ("NAME=value"). `path` has a slash: nothing
// is searched.
Result<Spawned> spawn_program(
        const std::string& path,
        std::span<const std::string> argv,
        std::span<const std::string> environment,
        const std::array<FdRef, 3>& standard);

// 0-255, 128 + n when killed by signal n; empty while it runs. Reaps: only for children.
Result<std::optional<std::int32_t>> reap(FdRef pidfd);

}  // namespace base::sys
