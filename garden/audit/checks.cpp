// All checks of one container, and the proof over all containers.
#include "garden/audit/checks.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace garden::audit {

std::vector<api::AuditCheck> check_container(const Evidence& evidence) {
    std::vector<api::AuditCheck> checks;
    Judge judge(checks);
    check_identity(evidence, judge);
    check_capabilities(evidence, judge);
    check_filter(evidence, judge);
    check_filesystem(evidence, judge);
    check_devices(evidence, judge);
    check_launch(evidence, judge);
    check_global(evidence, judge);
    check_network(evidence, judge);
    check_limits(evidence, judge);
    check_relaxations(evidence.expected, judge);
    return checks;
}

std::vector<std::string> relaxations_of(const std::vector<api::AuditCheck>& checks) {
    std::vector<std::string> names;
    for (const auto& check : checks)
        if (!check.relaxation.empty()) names.push_back(check.relaxation);
    std::sort(names.begin(), names.end());
    return names;
}

namespace {

// Who has what: the second owner of a thing is an offence.
class Owners {
  public:
    void take(const std::string& what, const std::string& who, Offenders& offenders) {
        const auto [it, fresh] = owners_.emplace(what, who);
        if (!fresh && it->second != who)
            offenders.add(base::format("{} and {}: {}", it->second, who, what));
    }

  private:
    std::map<std::string, std::string> owners_;
};

template <class Each>
Verdict distinct(
        const std::vector<Belongings>& containers, std::string_view source, Each things_of) {
    Owners owners;
    Offenders offenders;
    for (const auto& container : containers)
        for (const auto& thing : things_of(container))
            owners.take(thing, container.name, offenders);
    return offenders.verdict(
            base::format("{} containers share nothing", containers.size()), "nothing shared",
            source);
}

Verdict distinct_ranges(const std::vector<Belongings>& containers) {
    std::vector<const Belongings*> sorted;
    for (const auto& container : containers)
        if (container.id_length != 0) sorted.push_back(&container);
    std::sort(sorted.begin(), sorted.end(), [](const Belongings* a, const Belongings* b) {
        return a->id_base < b->id_base;
    });
    Offenders offenders;
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        const auto& before = *sorted[i - 1];
        const auto& after = *sorted[i];
        if (after.id_base - before.id_base < before.id_length)
            offenders.add(base::format("{} and {}: {}", before.name, after.name, after.id_base));
    }
    return offenders.verdict(
            base::format("{} ranges, all apart", sorted.size()), "no overlap",
            "records and uid_map");
}

std::set<std::string> namespaces_of(const Belongings& container) {
    std::set<std::string> things;
    for (const auto& [name, inode] : container.namespaces)
        things.insert(base::format("{}:[{}]", name, inode));
    return things;
}

// What both have as a bind mount is shared on purpose, and each audit names it as a relaxation.
Verdict distinct_writable(const std::vector<Belongings>& containers) {
    return distinct(containers, "/proc/<init>/mountinfo", [](const Belongings& container) {
        std::set<std::string> things;
        for (const auto& place : container.writable)
            if (!container.writable_on_purpose.contains(place)) things.insert(place);
        return things;
    });
}

}  // namespace

Belongings belongings_of(const Expected& expected, const Outside& outside) {
    Belongings own{
            .name = expected.handle, .id_base = expected.id_base, .id_length = expected.id_length};
    const auto* init = outside.init();
    if (init != nullptr) {
        for (const auto& [name, inode] : init->namespaces) {
            // Without one of its own it has the daemon's, which the audit of the container tells.
            const auto daemon = outside.daemon_namespaces.find(name);
            if (daemon == outside.daemon_namespaces.end() || daemon->second != inode)
                own.namespaces.emplace(name, inode);
        }
        for (const auto& [hierarchy, path] : init->cgroups)
            if (path != "/") own.cgroups.insert(hierarchy + ":" + path);
    }
    for (const auto& mount : outside.mounts) {
        // One kernel object for everybody, or as many as there are mounts: nothing to share.
        const bool kernel = mount.type == "proc" || mount.type == "sysfs" ||
                            mount.type.starts_with("cgroup") || mount.type == "devtmpfs";
        if (kernel || mount.flags.contains("ro")) continue;
        own.writable.insert(mount.device + " " + mount.root);
    }
    for (const auto& bind : expected.spec.bind_mounts) {
        const auto* mount = bind.writable ? outside.reach(bind.destination) : nullptr;
        if (mount != nullptr) own.writable_on_purpose.insert(mount->device + " " + mount->root);
    }
    if (expected.lease) {
        own.addresses.insert(expected.lease->container_ip);
        if (!expected.lease->container_ip6.empty())
            own.addresses.insert(expected.lease->container_ip6);
    }
    for (const auto& process : outside.processes) {
        for (const auto& descriptor : process.descriptors) {
            const auto& target = descriptor.target;
            if (target.starts_with("pipe:[") || target.starts_with("socket:["))
                own.descriptors.insert(target);
        }
    }
    return own;
}

std::vector<api::AuditCheck> check_pairs(const std::vector<Belongings>& containers) {
    std::vector<api::AuditCheck> checks;
    Judge judge(checks);
    judge.decide("ID-01/distinct", distinct_ranges(containers));
    judge.decide("3/distinct", distinct(containers, "/proc/<init>/ns", namespaces_of));
    judge.decide(
            "10/distinct", distinct(containers, "/proc/<init>/cgroup", [](const Belongings& c) {
                return c.cgroups;
            }));
    judge.decide("FS-01/distinct", distinct_writable(containers));
    judge.decide("NET-01/distinct", distinct(containers, "leases", [](const Belongings& c) {
                     return c.addresses;
                 }));
    judge.decide("PL-01/distinct", distinct(containers, "/proc/<pid>/fd", [](const Belongings& c) {
                     return c.descriptors;
                 }));
    return checks;
}

}  // namespace garden::audit
