#include "security/rlimits.hpp"

#include "base/fail.hpp"
#include "base/sys/self.hpp"

#include <sys/resource.h>

#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace security {

namespace {

constexpr std::array<std::pair<std::string_view, int>, 15> kResources = {{
        {"as", RLIMIT_AS},
        {"core", RLIMIT_CORE},
        {"cpu", RLIMIT_CPU},
        {"data", RLIMIT_DATA},
        {"fsize", RLIMIT_FSIZE},
        {"locks", RLIMIT_LOCKS},
        {"memlock", RLIMIT_MEMLOCK},
        {"msgqueue", RLIMIT_MSGQUEUE},
        {"nice", RLIMIT_NICE},
        {"nofile", RLIMIT_NOFILE},
        {"nproc", RLIMIT_NPROC},
        {"rss", RLIMIT_RSS},
        {"rtprio", RLIMIT_RTPRIO},
        {"sigpending", RLIMIT_SIGPENDING},
        {"stack", RLIMIT_STACK},
}};

// PL-09. The number of processes is the pids controller's, so RLIMIT_NPROC has no default.
constexpr std::array<Rlimit, 7> kDefaults = {{
        {.resource = RLIMIT_CORE, .soft = 0, .hard = 0},
        {.resource = RLIMIT_NOFILE, .soft = 1024, .hard = 16'384},
        {.resource = RLIMIT_MEMLOCK, .soft = 64 * 1024, .hard = 8 * 1024 * 1024},
        {.resource = RLIMIT_MSGQUEUE, .soft = 800 * 1024, .hard = 800 * 1024},
        {.resource = RLIMIT_SIGPENDING, .soft = 4096, .hard = 4096},
        {.resource = RLIMIT_NICE, .soft = 0, .hard = 0},
        {.resource = RLIMIT_RTPRIO, .soft = 0, .hard = 0},
}};

}  // namespace

base::Result<RlimitCeilings> own_rlimits() {
    RlimitCeilings ceilings;
    for (const auto& [name, resource] : kResources) {
        ceilings.hard[resource] = TRY(base::sys::own_resource_limit(resource)).hard;
    }
    const auto effective = TRY(base::sys::own_effective_capabilities());
    ceilings.may_raise = (effective & (std::uint64_t{1} << CAP_SYS_RESOURCE)) != 0;
    return ceilings;
}

base::Result<std::vector<Rlimit>> rlimits(
        const std::map<std::string, std::uint64_t>& requested, const RlimitCeilings& ceilings) {
    std::map<std::int32_t, Rlimit> chosen;
    for (Rlimit limit : kDefaults) {
        const auto ceiling = ceilings.hard.find(limit.resource);
        if (ceiling != ceilings.hard.end() && !ceilings.may_raise) {
            limit.hard = std::min(limit.hard, ceiling->second);
            limit.soft = std::min(limit.soft, limit.hard);
        }
        chosen[limit.resource] = limit;
    }
    for (const auto& [name, value] : requested) {
        const auto known = std::find_if(
                kResources.begin(), kResources.end(),
                [&wanted = name](const auto& entry) { return entry.first == wanted; });
        if (known == kResources.end()) {
            return base::fail(
                    base::Errc::invalid, "unknown resource limit '{}'", name.substr(0, 64));
        }
        const auto ceiling = ceilings.hard.find(known->second);
        if (ceiling != ceilings.hard.end() && value > ceiling->second && !ceilings.may_raise) {
            return base::fail(
                    base::Errc::denied,
                    "resource limit {}: {} is above the daemon's own hard limit of {}; "
                    "hint: raise the daemon's limit or give it CAP_SYS_RESOURCE",
                    name, value, ceiling->second);
        }
        chosen[known->second] = {.resource = known->second, .soft = value, .hard = value};
    }
    std::vector<Rlimit> out;
    out.reserve(chosen.size());
    for (const auto& [resource, limit] : chosen) out.push_back(limit);
    return out;
}

}  // namespace security
