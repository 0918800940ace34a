// Archive to directory on the host, through descriptors and never through a link that the archive
// brought. Private to executor/fetch.
#pragma once

#include "executor/fetch/archive.hpp"

namespace executor {

// Into the empty directory `top`. Owners are ours, every file is readable for all (the container's
// root is another than ours), set-id bits go. The bytes it takes on disk, rounded up to blocks.
base::Result<std::uint64_t> extract(
        base::FdRef archive, base::FdRef top, ArchiveLimits limits, const std::stop_token& stop);

}  // namespace executor
