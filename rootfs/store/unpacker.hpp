// One run of the sandboxed program rootfs-unpack, seen from the daemon: what it says is checked,
// not believed. Used by rootfs/store/layers.
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/store/layers.hpp"
#include "rootfs/unpack/protocol.hpp"

#include <atomic>
#include <functional>
#include <string>

namespace rootfs {

// Without a word from it for this long the unpacker is ended (Errc::timeout).
inline constexpr int kUnpackStallSeconds = 300;

// Fills `target`, an empty directory owned by root. However it ends, nothing writes there any more
// when this returns.
base::Result<Unpacked> run_unpacker(
        const std::string& program,
        const UnpackRequest& request,
        const UnpackLimits& limits,
        base::FdRef target,
        const std::function<void(std::uint64_t)>& progress,
        const std::atomic<bool>& cancelled);

}  // namespace rootfs
