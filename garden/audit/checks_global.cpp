// Section 10: what would reach the whole host.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"

#include <algorithm>
#include <array>

namespace garden::audit {

namespace {

// "cpu,cpuacct" and "cpuacct,cpu" are one hierarchy; v2 has no name in /proc/<pid>/cgroup.
std::string sorted_name(const std::string& hierarchy) {
    if (hierarchy == "unified") return "";
    std::set<std::string> parts;
    for (std::size_t at = 0; at <= hierarchy.size();) {
        const auto end = std::min(hierarchy.find(',', at), hierarchy.size());
        parts.insert(hierarchy.substr(at, end - at));
        at = end + 1;
    }
    std::string name;
    for (const auto& part : parts) name += (name.empty() ? "" : ",") + part;
    return name;
}

bool lies_in(std::string_view path, const std::string& group) {
    const auto at = path.find("/" + group);
    if (at == std::string_view::npos) return false;
    const auto end = at + 1 + group.size();
    return end == path.size() || path[end] == '/';
}

Verdict groups(const Expected& expected, const Outside& outside) {
    Offenders offenders;
    for (const auto& process : outside.processes) {
        std::map<std::string, std::string> at;
        for (const auto& [name, path] : process.cgroups) at[sorted_name(name)] = path;
        for (const auto& hierarchy : expected.host.cgroup_hierarchies) {
            const auto found = at.find(sorted_name(hierarchy));
            if (found == at.end() || !lies_in(found->second, expected.cgroup))
                offenders.add(base::format(
                        "{} is in {} of {}", name_of(process),
                        found == at.end() ? "none" : found->second, hierarchy));
        }
    }
    return offenders.verdict("all inside", "…/" + expected.cgroup, "/proc/<pid>/cgroup");
}

Verdict own_view(const Inside& inside) {
    Offenders offenders;
    for (const auto& [hierarchy, path] : inside.process.cgroups)
        if (path != "/") offenders.add(base::format("{}: {}", hierarchy, path));
    if (inside.process.cgroups.empty()) offenders.add("no group is shown");
    return offenders.verdict("/", "/", "inside: /proc/self/cgroup");
}

Verdict release_agents(const Outside& outside, const Inside& inside) {
    Offenders offenders;
    for (const auto& [path, result] : inside.reads)
        if (path.ends_with("/release_agent") && result.error == 0)
            offenders.add(path + " is visible");
    for (const auto& [hierarchy, group] : outside.cgroups) {
        if (group.notify_on_release == "1")
            offenders.add(base::format("{}: notify_on_release is 1", hierarchy));
    }
    return offenders.verdict("none", "none", "inside: open; notify_on_release of the groups");
}

bool below_any(const std::string& path, const std::vector<std::string>& covers) {
    return std::any_of(covers.begin(), covers.end(), [&](const std::string& cover) {
        return path == cover || path.starts_with(cover + "/");
    });
}

Verdict switches(const Expected& expected, const Inside& inside) {
    Offenders offenders;
    for (const auto& [path, result] : inside.writes) {
        // Real root writes what Garden promises; only the covered files are the engine's to refuse.
        const bool ours = expected.user_namespace() ||
                          below_any(path, expected.plan.container.read_only) ||
                          path.starts_with("/sys/");
        if (ours && result.error == 0) offenders.add(path + " can be opened for writing");
    }
    if (inside.writes.empty()) offenders.add("nothing was tried");
    return offenders.verdict("all refused", "EROFS, EACCES or absent", "inside: open for writing");
}

}  // namespace

void check_global(const Evidence& evidence, Judge& judge) {
    const auto& outside = evidence.outside;
    when_seen(outside, "processes", "10/groups", judge, [&] {
        return groups(evidence.expected, outside);
    });
    when_inside(evidence, "10/cgroup-namespace", judge, own_view);
    if (outside.problems.contains("cgroups")) {
        judge.broken("10/release-agent", outside.problems.at("cgroups"));
    } else {
        when_inside(evidence, "10/release-agent", judge, [&](const Inside& inside) {
            return release_agents(outside, inside);
        });
    }
    when_inside(evidence, "10/switches", judge, [&](const Inside& inside) {
        return switches(evidence.expected, inside);
    });
}

}  // namespace garden::audit
