// Limits and figures of one group, read from and written to the kernel's files of either version.
// Used by group.cpp.
#pragma once

#include "garden/cgroup/forest.hpp"

namespace garden::cgroup {

// `fresh`: the kernel's values are still the unlimited ones, so that a 0 needs no write.
base::Result<void> write_limits(
        const Forest& forest, const std::string& name, const Limits& limits, bool fresh);
base::Result<Limits> read_limits(const Forest& forest, const std::string& name);
base::Result<Metrics> read_metrics(const Forest& forest, const std::string& name);
base::Result<std::uint64_t> read_oom_kills(const Forest& forest, const std::string& name);

}  // namespace garden::cgroup
