// Rules: which limits hold for what clients send: those of the Receptor of 2015, those of today
// (receptor-api §3.4, §4.3, §8; bbs-api §5), and the bounds that keep one client from filling the
// brain. Used by the APIs that face clients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace brain::validate {

inline constexpr std::size_t kMaxAnnotation = 10 * 1024;
inline constexpr std::size_t kMaxRoutes2015 = 4 * 1024;  // values only, keys not counted
inline constexpr std::size_t kMaxRoutes = 128 * 1024;
inline constexpr std::uint32_t kMaxCpuWeight = 100;
inline constexpr std::size_t kMaxKey = 255;      // guid, domain: width of storage keys
inline constexpr std::size_t kMaxRootfs = 1024;  // width of its column
inline constexpr std::size_t kMaxMountedBytes = std::size_t{1} << 20;
inline constexpr std::int32_t kMaxInstances = 100'000;  // of one process: a typing mistake, else
// The same as a cell's, so that nothing is accepted here that every cell refuses.
inline constexpr std::size_t kMaxPorts = 256;
inline constexpr std::size_t kMaxVariables = 1'000;
inline constexpr std::size_t kMaxEgressRules = 1'000;
inline constexpr std::size_t kMaxChecks = 64;
inline constexpr std::size_t kMaxSidecars = 64;
inline constexpr std::size_t kMaxDependencies = 256;
inline constexpr std::size_t kMaxMounts = 256;
inline constexpr std::size_t kMaxTags = 256;  // placement tags, metric tags, routers, properties

struct Rules {
    std::size_t routes_bytes = kMaxRoutes;
    std::optional<std::uint32_t> cpu_weight = kMaxCpuWeight;
    bool negative_sizes = false;        // memory_mb and disk_mb below 0 pass (2015: no rule)
    bool egress_of_2015 = false;        // log for tcp and all only, no icmpv6, no lists with commas
    bool metric_tags_required = false;  // bbs-api §5: the wire cannot tell none from absent

    static Rules today() { return {}; }

    static Rules of_2015() {
        Rules rules;
        rules.routes_bytes = kMaxRoutes2015;
        rules.negative_sizes = true;
        rules.egress_of_2015 = true;
        return rules;
    }

    static Rules bbs() {
        Rules rules;
        rules.cpu_weight.reset();
        rules.metric_tags_required = true;
        return rules;
    }
};

}  // namespace brain::validate
