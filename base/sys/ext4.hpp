// ext4 while it is mounted. One-to-one, no policy. Used by rootfs/volume.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace base::sys {

// Up to `blocks` of its device, in use. `file`: anything on it, not a path-only descriptor.
// Errc::denied without CAP_SYS_RESOURCE.
Result<void> grow_ext4(FdRef file, std::uint64_t blocks);

}  // namespace base::sys
