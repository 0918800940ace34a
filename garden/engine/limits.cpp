// Limits: what the kernel is told of them, and their change while the container lives.
#include "base/fail.hpp"
#include "garden/engine/gardener.hpp"

#include <algorithm>

namespace garden {

cgroup::Limits Gardener::kernel_limits(const LimitsSpec& limits) const {
    // garden-api 10.5: the kernel takes no quota below a millisecond.
    constexpr std::uint64_t kLeastQuota = 1000;
    const auto shares = effective_shares(limits);
    const auto per_share = parts_.config.cpu_quota_per_share;
    return {.memory_bytes = limits.memory_bytes,
            .swap_limit = parts_.config.swap_limit,
            .cpu_shares = shares,
            .cpu_quota_us =
                    per_share == 0 || shares == 0 ? 0 : std::max(kLeastQuota, shares * per_share),
            .pids = limits.pids,
            .blkio_weight = 0};
}

}  // namespace garden
