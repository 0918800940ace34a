// Limits: what the kernel is told of them, and their change while the container lives.
#include "base/fail.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/plan/validate.hpp"

#include <algorithm>

namespace garden {

rootfs::QuotaScope scope_of(DiskScope scope) {
    return scope == DiskScope::total ? rootfs::QuotaScope::total : rootfs::QuotaScope::exclusive;
}

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
        after.disk_bytes = change.disk->bytes;
        if (after.disk_bytes != 0) after.disk_scope = change.disk->scope;
    }
    return after;
}

base::Result<void> Gardener::limit_disk(Container& container, const LimitsSpec& limits) {
    const bool by_plugin = [&] {
        const std::lock_guard lock(container.mutex);
        return container.record.image_plugin;
    }();
    if (by_plugin)
        return base::fail(
                base::Errc::unsupported,
                "the volume is an image plugin's, which has no call that changes a limit");
    return parts_.volumes->limit(
            container.handle.get(), limits.disk_bytes, scope_of(limits.disk_scope));
}

// All or nothing.
base::Result<void> Gardener::apply_limits(
        Container& container, const LimitsSpec& before, const LimitsSpec& after) {
    auto limited = container.group->limit(kernel_limits(after)).context("limits");
    if (!limited) {
        (void)container.group->limit(kernel_limits(before));
        return limited;
    }
    const bool same_disk =
            before.disk_bytes == after.disk_bytes && before.disk_scope == after.disk_scope;
    if (same_disk) return base::ok;
    limited = limit_disk(container, after);
    if (limited) return base::ok;
    (void)container.group->limit(kernel_limits(before));
    return std::move(limited).error().context(
            base::format("limits.disk_limits.byte_hard: {}", after.disk_bytes));
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
        auto applied = apply_limits(*container, before, after);
        if (!applied) {
            (void)keep_limits(*container, before);
            return std::move(applied).error();
        }
        tell_limits(handle, before, after);
    }
    return limits(handle);
}

}  // namespace garden
