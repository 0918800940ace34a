// One interface over cgroup v1, hybrid and v2: a group per container, limits, figures, OOM notices.
// Used by garden/engine.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "security/devices.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace garden::cgroup {

enum class Layout : std::uint8_t { v1, hybrid, v2 };

struct Limits {  // 0: no limit
    std::uint64_t memory_bytes = 0;
    bool swap_limit = true;          // memory + swap = memory
    std::uint64_t cpu_shares = 0;    // v2: converted, see weight_of_shares
    std::uint64_t cpu_quota_us = 0;  // per 100 ms
    std::uint64_t pids = 0;
    std::uint64_t blkio_weight = 0;
};

// garden-api 10.5: 0 -> 0 (unset), <= 2 -> 1, >= 262144 -> 10000, else the formula; 1024 -> 100,
// 280 -> 37.
std::uint64_t weight_of_shares(std::uint64_t shares);

// garden-api 5.8; every value as the kernel gives it, absent ones 0.
struct MemoryStat {
    std::uint64_t active_anon = 0, active_file = 0, cache = 0, hierarchical_memory_limit = 0,
                  inactive_anon = 0, inactive_file = 0, mapped_file = 0, pgfault = 0,
                  pgmajfault = 0, pgpgin = 0, pgpgout = 0, rss = 0, total_active_anon = 0,
                  total_active_file = 0, total_cache = 0, total_inactive_anon = 0,
                  total_inactive_file = 0, total_mapped_file = 0, total_pgfault = 0,
                  total_pgmajfault = 0, total_pgpgin = 0, total_pgpgout = 0, total_rss = 0,
                  total_unevictable = 0, unevictable = 0, swap = 0, hierarchical_memsw_limit = 0,
                  total_swap = 0, usage_toward_limit = 0, anon = 0, file = 0, swapcached = 0;
};

struct CpuStat {  // nanoseconds
    std::uint64_t usage = 0, user = 0, system = 0;
};

struct PidStat {
    std::uint64_t current = 0, max = 0;  // max 0: unlimited
};

struct Metrics {
    MemoryStat memory;
    CpuStat cpu;
    PidStat pids;
};

struct Figures {  // the host, for Capacity
    std::uint64_t memory_bytes = 0;
};

// The group of one container. Methods are safe from any thread, one operation per container at a
// time.
class Group {
  public:
    virtual ~Group() = default;

    // Files to which an entering child writes "0" (plan.hpp): `tasks`/`cgroup.procs` of every
    // hierarchy.
    virtual base::Result<std::vector<base::Fd>> entrances() = 0;
    // The group itself, as a detached mount that shows nothing above it; in the same order.
    virtual base::Result<std::vector<base::Fd>> views() = 0;
    virtual base::Result<void> limit(const Limits& limits) = 0;
    virtual base::Result<Limits>
    limits() = 0;  // as read back from the kernel (cpu_shares: converted on v2)
    virtual base::Result<void> devices(const std::vector<security::DeviceRule>&
                                               allowed) = 0;  // deny all, then these (DEV-02..04)
    virtual base::Result<Metrics> metrics() = 0;
    virtual base::Result<std::vector<std::int32_t>>
    processes() = 0;                        // host pids, the whole subtree
    virtual base::Result<void> kill() = 0;  // cgroup.kill where it exists, else pid by pid
    virtual base::Result<std::uint64_t> oom_kills() = 0;  // how many since creation
    virtual base::Result<void> remove() = 0;  // waits (bounded) for exiting processes; idempotent
};

class Driver {
  public:
    // Looks at the mounts and takes (makes) `parent` ("garden", "garden-<tag>") below every
    // hierarchy.
    static base::Result<std::unique_ptr<Driver>> probe(std::string_view parent);
    virtual ~Driver() = default;

    virtual Layout layout() const = 0;
    virtual std::vector<std::string> hierarchies()
            const = 0;  // "memory", "name=systemd", ... ; v2: {"unified"}
    virtual base::Result<std::unique_ptr<Group>> create(std::string_view name) = 0;
    virtual base::Result<std::unique_ptr<Group>> open(
            std::string_view name) = 0;  // not_found when absent everywhere
    // A group below the group `above`: within its limits and rules, gone with it. On v2, where
    // `above` has processes of its own, it has no memory figures and takes no limits.
    virtual base::Result<std::unique_ptr<Group>> create_below(
            std::string_view above, std::string_view name) = 0;
    virtual base::Result<std::unique_ptr<Group>> open_below(
            std::string_view above, std::string_view name) = 0;
    virtual base::Result<std::vector<std::string>>
    list() = 0;  // names of all groups below the parent, any hierarchy
    // `notice` is called once per OOM kill, on the driver's own thread, until the group is removed.
    virtual base::Result<void> watch_oom(Group& group, std::function<void()> notice) = 0;
    // Deletes the parent groups when empty (gardend cleanup, tests).
    virtual base::Result<void> remove_parent() = 0;
};

}  // namespace garden::cgroup
