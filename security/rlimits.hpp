// Resource limits: names of the wire, defaults of PL-09, and what the daemon may give. Used by
// garden/plan.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace security {

struct Rlimit {
    std::int32_t resource = 0;  // RLIMIT_*
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

// The daemon's own hard limit per RLIMIT_*; a request above it fails clearly unless
// CAP_SYS_RESOURCE is held (PL-09).
struct RlimitCeilings {
    std::map<std::int32_t, std::uint64_t> hard;
    bool may_raise = false;
};

base::Result<RlimitCeilings> own_rlimits();

// Defaults of PL-09 (clamped to the ceilings) with `requested` (wire name -> value, soft = hard) on
// top.
base::Result<std::vector<Rlimit>> rlimits(
        const std::map<std::string, std::uint64_t>& requested, const RlimitCeilings& ceilings);

}  // namespace security
