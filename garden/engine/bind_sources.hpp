// The host side of bind mounts, of containers and of peas. Used by garden/engine only.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/plan/container_spec.hpp"

#include <vector>

namespace garden {

// A source may be on a file system that hangs, so it is opened once, early, while nothing is held
// that others wait for.
base::Result<std::vector<base::Fd>> open_bind_sources(const std::vector<BindMountSpec>& binds);
// Which of them are not directories.
base::Result<std::vector<bool>> are_files(const std::vector<base::Fd>& sources);
// The source's mount flags stay, ours are added; what is mounted below the source stays out
// (garden-behaviours D.3).
base::Result<base::Fd> clone_bind_source(base::FdRef source, const BindMountSpec& bind);

}  // namespace garden
