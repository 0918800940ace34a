// Limits: what the kernel is told of them, and their change while the container lives.
#include "base/fail.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/plan/validate.hpp"

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
            .blkio_weight = parts_.config.blockio_weight};
}

// What would be in force, or why it cannot be.
base::Result<LimitsSpec> Gardener::check_change(
        Container& container, const LimitsSpec& before, const LimitsChange& change) {
    auto after = before;
    if (change.memory_bytes) {
        after.memory_bytes = *change.memory_bytes;
        TRY(plan::check_memory(after.memory_bytes));
        // cgroup v1 refuses what is below the usage; v2 would kill until it fits. Neither is what
        // somebody wants who corrects a figure.
        const auto used = TRY(container.group->metrics()).memory.usage_toward_limit;
        if (after.memory_bytes != 0 && after.memory_bytes < used) {
            return base::fail(
                    base::Errc::conflict,
                    "limits.memory_limits.limit_in_bytes: {} is below what is in use, {}",
                    after.memory_bytes, used);
        }
    }
    if (change.cpu) {
        after.cpu_weight = change.cpu->weight;
        after.cpu_shares = change.cpu->shares;
    }
    if (change.pids) after.pids = *change.pids;
    if (change.disk) {
        const bool same = change.disk->bytes == before.disk_bytes &&
                          (change.disk->bytes == 0 || change.disk->scope == before.disk_scope);
        if (!same) {
            return base::fail(
                    base::Errc::unsupported,
                    "limits.disk_limits.byte_hard: {}: the limit of {} bytes was given to the "
                    "volume when it was made, quota driver {} does not change it",
                    change.disk->bytes, before.disk_bytes,
                    rootfs::to_string(parts_.volumes->quota().driver));
        }
    }
    return after;
}

base::Result<void> Gardener::keep_limits(Container& container, const LimitsSpec& limits) {
    const std::lock_guard lock(container.mutex);
    auto& kept = container.record.spec.limits;
    const auto before = std::exchange(kept, limits);
    auto saved = Depot::save(container.bundle, container.record);
    if (!saved) kept = before;
    return saved;
}

base::Result<LimitsSpec> Gardener::change_limits(const Handle& handle, const LimitsChange& change) {
    const auto container = TRY(living(handle));
    {
        const std::lock_guard turn(container->changing_limits);
        const auto before = [&] {
            const std::lock_guard lock(container->mutex);
            return container->record.spec.limits;
        }();
        const auto after = TRY(check_change(*container, before, change));
        // The record first, as with rules: what is in force is never more than what it says.
        TRY(keep_limits(*container, after));
        auto applied = container->group->limit(kernel_limits(after));
        if (!applied) {
            (void)container->group->limit(kernel_limits(before));
            (void)keep_limits(*container, before);
            return std::move(applied).error().context("limits");
        }
        tell_limits(handle, before, after);
    }
    return limits(handle);
}

}  // namespace garden
