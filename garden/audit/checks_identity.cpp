// Section 4 and the namespaces of section 3.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"
#include "garden/audit/parse.hpp"
#include "security/id_ranges.hpp"

#include <algorithm>
#include <array>

namespace garden::audit {

namespace {

constexpr std::array kOwn = {"mnt", "pid", "net", "ipc", "uts", "cgroup"};
constexpr const char* kNoUserNamespace = "this class has no user namespace";

std::vector<std::string> own_namespaces(const Expected& expected) {
    std::vector<std::string> names(kOwn.begin(), kOwn.end());
    if (expected.user_namespace()) names.emplace_back("user");
    return names;
}

Verdict namespaces_differ(const Expected& expected, const Outside& outside) {
    Offenders offenders;
    for (const auto& process : outside.processes) {
        for (const auto& name : own_namespaces(expected)) {
            const auto own = process.namespaces.find(name);
            const auto daemon = outside.daemon_namespaces.find(name);
            if (own == process.namespaces.end()) {
                offenders.add(base::format("{}: {} unknown", name_of(process), name));
            } else if (daemon != outside.daemon_namespaces.end() && own->second == daemon->second) {
                offenders.add(base::format("{} is in the daemon's {}", name_of(process), name));
            }
        }
    }
    return offenders.verdict("all differ", "none of the daemon's", "/proc/<pid>/ns");
}

Verdict joined(const Expected& expected, const Outside& outside) {
    Offenders offenders;
    const auto* init = outside.init();
    for (const auto& process : outside.processes) {
        for (const auto& name : own_namespaces(expected)) {
            if (expected.peas && (name == "mnt" || name == "cgroup")) continue;
            const auto at = process.namespaces.find(name);
            const auto wanted = init->namespaces.find(name);
            if (at == process.namespaces.end() || wanted == init->namespaces.end() ||
                at->second != wanted->second)
                offenders.add(base::format("{} is in another {}", name_of(process), name));
        }
    }
    return offenders.verdict("all as garden-init", "those of garden-init", "/proc/<pid>/ns");
}

std::string text_of(const std::vector<launch::IdMapping>& map) {
    std::string text;
    for (const auto& extent : map) {
        if (!text.empty()) text += ", ";
        text += base::format("{} {} {}", extent.inside, extent.outside, extent.count);
    }
    return text.empty() ? "empty" : text;
}

Verdict mapped(const Expected& expected, const Outside& outside) {
    const auto wanted = text_of(expected.plan.namespaces.uids);
    Offenders offenders;
    const auto* init = outside.init();
    for (const auto& [what, map] :
         {std::pair{"uid_map", &init->uid_map}, {"gid_map", &init->gid_map}})
        if (text_of(*map) != wanted) offenders.add(base::format("{}: {}", what, text_of(*map)));
    return offenders.verdict(wanted, wanted, "/proc/<init>/uid_map, gid_map");
}

Verdict in_place(const Expected& expected) {
    const auto base = expected.id_base;
    const auto length = expected.id_length;
    const bool ok = base % security::kIdRangeLength == 0 && length == security::kIdRangeLength &&
                    base >= security::kIdRangeFirst &&
                    base <= security::kIdRangeLast - security::kIdRangeLength + 1;
    return {.ok = ok,
            .observed = base::format("{} + {}", base, length),
            .expected = base::format(
                    "a multiple of 65536 in {} to {}", security::kIdRangeFirst,
                    security::kIdRangeLast),
            .source = "record of the id range"};
}

bool in_range(const Expected& expected, std::uint32_t id) {
    return id >= expected.id_base && id - expected.id_base < expected.id_length;
}

Verdict ids_in_range(const Expected& expected, const Outside& outside) {
    Offenders offenders;
    for (const auto& process : outside.processes) {
        for (const auto& [what, ids] : {std::pair{"uid", &process.uids}, {"gid", &process.gids}}) {
            const auto out = std::find_if_not(ids->begin(), ids->end(), [&](std::uint32_t id) {
                return in_range(expected, id);
            });
            if (ids->empty()) offenders.add(base::format("{}: no {}", name_of(process), what));
            if (out != ids->end())
                offenders.add(base::format("{} has {} {}", name_of(process), what, *out));
        }
    }
    return offenders.verdict(
            "all inside",
            base::format("{} to {}", expected.id_base, expected.id_base + expected.id_length - 1),
            "/proc/<pid>/status Uid, Gid");
}

Verdict groups_in_range(const Expected& expected, const Outside& outside) {
    Offenders offenders;
    for (const auto& process : outside.processes) {
        for (const auto id : process.groups) {
            if (!in_range(expected, id))
                offenders.add(base::format("{} has group {}", name_of(process), id));
        }
    }
    return offenders.verdict("all inside", "groups of the range", "/proc/<pid>/status Groups");
}

// Words, because some of these hold two numbers.
void compare_sysctls(
        const std::vector<launch::Sysctl>& wanted, const Inside& inside, Offenders& offenders) {
    for (const auto& sysctl : wanted) {
        const auto found = inside.texts.find("/proc/sys/" + sysctl.name);
        if (found == inside.texts.end()) continue;
        if (found->second.error == ENOENT && !sysctl.required) continue;
        if (words_of(trimmed(found->second.detail)) != words_of(sysctl.value))
            offenders.add(base::format(
                    "{} is {}", sysctl.name,
                    found->second.error != 0 ? base::errno_text(found->second.error)
                                             : std::string(trimmed(found->second.detail))));
    }
}

void check_ceilings(const Evidence& evidence, Judge& judge) {
    constexpr const char* kNested = "user/max_user_namespaces";
    std::vector<launch::Sysctl> nested;
    std::vector<launch::Sysctl> others;
    for (const auto& ceiling : evidence.expected.plan.container.ceilings)
        (ceiling.name == kNested ? nested : others).push_back(ceiling);
    const auto look = [](const std::vector<launch::Sysctl>& wanted, std::string_view expected) {
        return [&wanted, expected](const Inside& inside) {
            Offenders offenders;
            compare_sysctls(wanted, inside, offenders);
            return offenders.verdict("as planned", expected, "inside: /proc/sys/user");
        };
    };
    if (nested.empty()) {
        judge.skip("ID-08/user-namespaces", "this class may nest user namespaces");
    } else {
        when_inside(evidence, "ID-08/user-namespaces", judge, look(nested, "0"));
    }
    if (others.empty()) {
        judge.skip("ID-08/ceilings", kNoUserNamespace);
    } else {
        when_inside(evidence, "ID-08/ceilings", judge, look(others, "the plan's ceilings"));
    }
}

}  // namespace

std::string name_of(const ProcessView& process) {
    return base::format("pid {} ({})", process.pid, process.name);
}

void check_identity(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    const auto& outside = evidence.outside;
    when_seen(outside, "processes", "3/namespaces", judge, [&] {
        return namespaces_differ(expected, outside);
    });
    if (expected.unprivileged()) {
        when_seen(outside, "processes", "CL-01/joined", judge, [&] {
            return joined(expected, outside);
        });
    } else {
        judge.skip("CL-01/joined", "this class may make namespaces");
    }
    check_ceilings(evidence, judge);
    if (!expected.user_namespace() || expected.garden_ids) {
        const char* why = expected.garden_ids ? "compat.garden_id_mapping is on" : kNoUserNamespace;
        for (const char* id :
             {"ID-01/range", "ID-01/map", "ID-02/host-ids", "ID-07/owner", "ID-09/groups"})
            judge.skip(id, why);
        return;
    }
    judge.decide("ID-01/range", in_place(expected));
    when_seen(outside, "processes", "ID-01/map", judge, [&] { return mapped(expected, outside); });
    when_seen(outside, "processes", "ID-02/host-ids", judge, [&] {
        return ids_in_range(expected, outside);
    });
    when_seen(outside, "processes", "ID-09/groups", judge, [&] {
        return groups_in_range(expected, outside);
    });
    when_seen(outside, "processes", "ID-07/owner", judge, [&] {
        const auto owner = outside.user_namespace_owner;
        return Verdict{
                .ok = owner == expected.id_base,
                .observed = owner ? std::to_string(*owner) : "unknown",
                .expected = std::to_string(expected.id_base),
                .source = "/proc/<init>/ns/user NS_GET_OWNER_UID"};
    });
}

}  // namespace garden::audit
