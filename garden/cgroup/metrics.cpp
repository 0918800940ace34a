#include "base/sys/file.hpp"
#include "garden/cgroup/figures.hpp"

namespace garden::cgroup {

namespace {

namespace sys = base::sys;

// "" when the controller or the file does not exist here: figures that are absent are 0.
base::Result<std::string> read(
        const Forest& forest, const std::string& name, const char* controller, const char* file) {
    const auto* tree = forest.with(controller);
    if (tree == nullptr) return std::string();
    auto text = sys::read_file_at(tree->parent, name + "/" + file);
    if (!text && text.error().sys == ENOENT && TRY(sys::exists_at(tree->parent, name)))
        return std::string();
    return text;
}

std::uint64_t minus(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
}

MemoryStat memory_of(std::map<std::string, std::uint64_t> f, bool v2) {
    MemoryStat stat{
            .active_anon = f["active_anon"],
            .active_file = f["active_file"],
            .cache = f["cache"],
            .hierarchical_memory_limit = f["hierarchical_memory_limit"],
            .inactive_anon = f["inactive_anon"],
            .inactive_file = f["inactive_file"],
            .mapped_file = f[v2 ? "file_mapped" : "mapped_file"],
            .pgfault = f["pgfault"],
            .pgmajfault = f["pgmajfault"],
            .pgpgin = f["pgpgin"],
            .pgpgout = f["pgpgout"],
            .rss = f["rss"],
            .total_active_anon = f["total_active_anon"],
            .total_active_file = f["total_active_file"],
            .total_cache = f["total_cache"],
            .total_inactive_anon = f["total_inactive_anon"],
            .total_inactive_file = f["total_inactive_file"],
            .total_mapped_file = f["total_mapped_file"],
            .total_pgfault = f["total_pgfault"],
            .total_pgmajfault = f["total_pgmajfault"],
            .total_pgpgin = f["total_pgpgin"],
            .total_pgpgout = f["total_pgpgout"],
            .total_rss = f["total_rss"],
            .total_unevictable = f["total_unevictable"],
            .unevictable = f["unevictable"],
            .swap = f["swap"],
            .hierarchical_memsw_limit = f["hierarchical_memsw_limit"],
            .total_swap = f["total_swap"],
            .usage_toward_limit = 0,
            .anon = f["anon"],
            .file = f["file"],
            .swapcached = f["swapcached"]};
    // garden-api 5.8
    stat.usage_toward_limit =
            v2 ? minus(stat.file + stat.anon + stat.swapcached, stat.inactive_file)
               : minus(stat.total_rss + stat.total_cache + stat.total_swap,
                       stat.total_inactive_file);
    return stat;
}

}  // namespace

base::Result<Metrics> read_metrics(const Forest& forest, const std::string& name) {
    const bool v2 = forest.layout == Layout::v2;
    Metrics metrics;
    metrics.memory = memory_of(parse_figures(TRY(read(forest, name, "memory", "memory.stat"))), v2);
    if (v2) {
        auto figures = parse_figures(TRY(read(forest, name, "cpu", "cpu.stat")));
        metrics.cpu = {
                .usage = figures["usage_usec"] * 1000,
                .user = figures["user_usec"] * 1000,
                .system = figures["system_usec"] * 1000};
    } else {
        metrics.cpu.user = parse_limit(TRY(read(forest, name, "cpuacct", "cpuacct.usage_user")));
        metrics.cpu.system = parse_limit(TRY(read(forest, name, "cpuacct", "cpuacct.usage_sys")));
        metrics.cpu.usage =
                metrics.cpu.user + metrics.cpu.system;  // as cpuacct.usage, one file less
    }
    metrics.pids.current = parse_limit(TRY(read(forest, name, "pids", "pids.current")));
    metrics.pids.max = parse_limit(TRY(read(forest, name, "pids", "pids.max")));
    return metrics;
}

base::Result<std::uint64_t> read_oom_kills(const Forest& forest, const std::string& name) {
    const bool v2 = forest.layout == Layout::v2;
    return parse_figures(TRY(
            read(forest, name, "memory", v2 ? "memory.events" : "memory.oom_control")))["oom_kill"];
}

}  // namespace garden::cgroup
