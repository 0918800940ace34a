#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "garden/cgroup/figures.hpp"

#include <algorithm>

namespace garden::cgroup {

namespace {

namespace sys = base::sys;

constexpr std::uint64_t kPeriodMicroseconds = 100'000;

// One limit: the controller that has it, its file, and how the field is called for people.
struct Setting {
    std::string_view field;
    const char* controller;
    const char* file;
    std::string value;
};

base::Result<void> apply(const Forest& forest, const std::string& name, const Setting& setting) {
    const auto* tree = forest.with(setting.controller);
    if (tree == nullptr) {
        return base::fail(
                base::Errc::unsupported, "{} {}: no {} controller", setting.field, setting.value,
                setting.controller);
    }
    return sys::write_kernel_file_at(tree->parent, name + "/" + setting.file, setting.value)
            .context(base::format("set {} to {}", setting.field, setting.value));
}

base::Result<void> write_memory_v1(
        const Forest& forest, const std::string& name, const Limits& limits) {
    const std::string value = limits.memory_bytes == 0 ? "-1" : std::to_string(limits.memory_bytes);
    const Setting memory{
            .field = "memory_bytes",
            .controller = "memory",
            .file = "memory.limit_in_bytes",
            .value = value};
    const Setting both{
            .field = "memory_bytes and swap",
            .controller = "memory",
            .file = "memory.memsw.limit_in_bytes",
            .value = limits.swap_limit ? value : "-1"};
    if (!forest.memsw) return apply(forest, name, memory);
    // The kernel refuses memory above memory + swap: going up, the sum is first; going down, memory
    // is.
    if (limits.memory_bytes != 0 && apply(forest, name, memory)) {
        return limits.swap_limit ? apply(forest, name, both) : base::Result<void>(base::ok);
    }
    TRY(apply(forest, name, both));
    return apply(forest, name, memory);
}

base::Result<void> write_memory_v2(
        const Forest& forest, const std::string& name, const Limits& limits) {
    const bool limited = limits.memory_bytes != 0;
    TRY(
            apply(forest, name,
                  {.field = "memory_bytes",
                   .controller = "memory",
                   .file = "memory.max",
                   .value = limited ? std::to_string(limits.memory_bytes) : "max"}));
    auto swap =
            apply(forest, name,
                  {.field = "swap",
                   .controller = "memory",
                   .file = "memory.swap.max",
                   .value = limited && limits.swap_limit ? "0" : "max"});
    // A kernel without swap accounting has no such file, and nothing to limit.
    if (!swap && swap.error().sys != ENOENT) return swap;
    return base::ok;
}

base::Result<void> write_block_weight(
        const Forest& forest, const std::string& name, bool v2, std::uint64_t weight) {
    const std::string plain = std::to_string(weight == 0 ? 100 : weight);
    // BFQ takes 1..1000 as it is; the other v2 file takes 1..10000.
    auto written =
            apply(forest, name,
                  {.field = "blkio_weight",
                   .controller = v2 ? "io" : "blkio",
                   .file = v2 ? "io.bfq.weight" : "blkio.bfq.weight",
                   .value = plain});
    if (written || written.error().sys != ENOENT) return written;
    const std::string wide =
            weight == 0
                    ? "100"
                    : std::to_string(1 + (std::max<std::uint64_t>(weight, 10) - 10) * 9999 / 990);
    return apply(
            forest, name,
            {.field = "blkio_weight",
             .controller = v2 ? "io" : "blkio",
             .file = v2 ? "io.weight" : "blkio.weight",
             .value = v2 ? wide : plain});
}

base::Result<std::string> read(
        const Forest& forest, const std::string& name, const char* controller, const char* file) {
    const auto* tree = forest.with(controller);
    if (tree == nullptr) return std::string();
    auto text = sys::read_file_at(tree->parent, name + "/" + file);
    if (!text && text.error().sys == ENOENT) return std::string();
    return text;
}

base::Result<std::uint64_t> read_number(
        const Forest& forest, const std::string& name, const char* controller, const char* file) {
    return parse_limit(TRY(read(forest, name, controller, file)));
}

}  // namespace

base::Result<void> write_limits(
        const Forest& forest, const std::string& name, const Limits& limits, bool fresh) {
    const bool v2 = forest.layout == Layout::v2;
    // On a group that had limits a 0 takes them away; on a fresh one it is one write saved.
    const auto wanted = [fresh](std::uint64_t value) { return value != 0 || !fresh; };
    const auto has = [&](const char* controller) { return forest.with(controller) != nullptr; };
    if (wanted(limits.memory_bytes) && (limits.memory_bytes != 0 || has("memory"))) {
        TRY(v2 ? write_memory_v2(forest, name, limits) : write_memory_v1(forest, name, limits));
    }
    if (wanted(limits.cpu_shares) && (limits.cpu_shares != 0 || has("cpu"))) {
        const auto value =
                v2 ? std::max<std::uint64_t>(
                             weight_of_shares(limits.cpu_shares == 0 ? 1024 : limits.cpu_shares), 1)
                : limits.cpu_shares == 0 ? 1024
                                         : limits.cpu_shares;
        TRY(
                apply(forest, name,
                      {.field = "cpu_shares",
                       .controller = "cpu",
                       .file = v2 ? "cpu.weight" : "cpu.shares",
                       .value = std::to_string(value)}));
    }
    if (wanted(limits.cpu_quota_us) && (limits.cpu_quota_us != 0 || has("cpu"))) {
        const std::string quota = limits.cpu_quota_us != 0 ? std::to_string(limits.cpu_quota_us)
                                  : v2                     ? "max"
                                                           : "-1";
        TRY(
                apply(forest, name,
                      {.field = "cpu_quota_us",
                       .controller = "cpu",
                       .file = v2 ? "cpu.max" : "cpu.cfs_quota_us",
                       .value = v2 ? quota + " " + std::to_string(kPeriodMicroseconds) : quota}));
    }
    if (wanted(limits.pids) && (limits.pids != 0 || has("pids"))) {
        TRY(
                apply(forest, name,
                      {.field = "pids",
                       .controller = "pids",
                       .file = "pids.max",
                       .value = limits.pids == 0 ? "max" : std::to_string(limits.pids)}));
    }
    if (limits.blkio_weight != 0) TRY(write_block_weight(forest, name, v2, limits.blkio_weight));
    return base::ok;
}

base::Result<Limits> read_limits(const Forest& forest, const std::string& name) {
    const bool v2 = forest.layout == Layout::v2;
    Limits limits;
    limits.pids = TRY(read_number(forest, name, "pids", "pids.max"));
    if (!v2) {
        limits.memory_bytes = TRY(read_number(forest, name, "memory", "memory.limit_in_bytes"));
        limits.swap_limit =
                forest.memsw &&
                limits.memory_bytes ==
                        TRY(read_number(forest, name, "memory", "memory.memsw.limit_in_bytes"));
        limits.cpu_shares = TRY(read_number(forest, name, "cpu", "cpu.shares"));
        limits.cpu_quota_us =
                TRY(read_number(forest, name, "cpu", "cpu.cfs_quota_us"));  // -1: not a number, 0
        limits.blkio_weight = TRY(read_number(forest, name, "blkio", "blkio.bfq.weight"));
        return limits;
    }
    limits.memory_bytes = TRY(read_number(forest, name, "memory", "memory.max"));
    limits.swap_limit = TRY(read(forest, name, "memory", "memory.swap.max")) == "0\n";
    limits.cpu_shares = TRY(read_number(forest, name, "cpu", "cpu.weight"));
    const auto quota = TRY(read(forest, name, "cpu", "cpu.max"));
    limits.cpu_quota_us = parse_limit(std::string_view(quota).substr(0, quota.find(' ')));
    const auto weight = TRY(read(forest, name, "io", "io.weight"));  // "default 100"
    limits.blkio_weight = parse_figures(weight)["default"];
    return limits;
}

}  // namespace garden::cgroup
