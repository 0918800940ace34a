// The cage of rootfs-unpack (IMG-20): namespaces, an id-mapped view of the target as its only file
// system, few capabilities, few system calls. Used by rootfs/unpack/main.cpp only; single-threaded.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <functional>

namespace rootfs {

// Host ids the sandbox runs with: just above the containers' (ID-01), so that it shares an id with
// nobody.
inline constexpr std::uint32_t kSandboxIdBase = 0x70000000;
inline constexpr std::uint32_t kSandboxIds = 65'536;

struct SandboxLimits {
    std::uint64_t file_bytes = 0;
    std::uint64_t cpu_seconds = 900;
    std::uint64_t memory_bytes = std::uint64_t{1} << 30;
};

// Runs `body` in a child inside the cage, where `target` is "/" and its ids 0-65535 are the child's
// own. Returns its exit code.
base::Result<int> run_in_sandbox(
        base::FdRef target,
        const SandboxLimits& limits,
        const std::function<int(base::FdRef root)>& body);

}  // namespace rootfs
