// The last step into the cage: limits, capabilities, Landlock and the system-call filter, in this
// order. Used by rootfs/unpack/sandbox.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/unpack/sandbox.hpp"

namespace rootfs {

// Not undone by anything; afterwards only files below `root` can be reached and only file calls
// made.
base::Result<void> confine(base::FdRef root, const SandboxLimits& limits);

}  // namespace rootfs
