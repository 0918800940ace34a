#include "garden/plan/plan_json.hpp"

#include "security/capabilities.hpp"

#include <linux/mount.h>

#include <nlohmann/json.hpp>

namespace garden::plan {

namespace {

using nlohmann::ordered_json;

std::string_view word(launch::MountKind kind) {
    switch (kind) {
        case launch::MountKind::attach:
            return "bind";
        case launch::MountKind::tmpfs:
            return "tmpfs";
        case launch::MountKind::proc:
            return "proc";
        case launch::MountKind::sysfs:
            return "sysfs";
        case launch::MountKind::devpts:
            return "devpts";
        case launch::MountKind::mqueue:
            return "mqueue";
    }
    return "";
}

std::string_view word(FdKind kind) {
    switch (kind) {
        case FdKind::root:
            return "root";
        case FdKind::cgroup:
            return "cgroup";
        case FdKind::cgroup_view:
            return "cgroup-view";
        case FdKind::device:
            return "device";
        case FdKind::bind_mount:
            return "bind mount";
        case FdKind::hosts:
            return "hosts file";
        case FdKind::resolv_conf:
            return "resolv.conf file";
        case FdKind::hostname:
            return "hostname file";
    }
    return "";
}

ordered_json attributes_json(std::uint64_t attributes) {
    auto out = ordered_json::array();
    if ((attributes & MOUNT_ATTR_RDONLY) != 0) out.push_back("ro");
    if ((attributes & MOUNT_ATTR_NOSUID) != 0) out.push_back("nosuid");
    if ((attributes & MOUNT_ATTR_NODEV) != 0) out.push_back("nodev");
    if ((attributes & MOUNT_ATTR_NOEXEC) != 0) out.push_back("noexec");
    if ((attributes & MOUNT_ATTR_STRICTATIME) != 0) out.push_back("strictatime");
    return out;
}

ordered_json mappings_json(const std::vector<launch::IdMapping>& mappings) {
    auto out = ordered_json::array();
    for (const auto& map : mappings)
        out.push_back({{"inside", map.inside}, {"outside", map.outside}, {"count", map.count}});
    return out;
}

ordered_json source_json(const LaunchPlan& plan, launch::FdIndex index) {
    if (index == launch::kNoFd) return nullptr;
    const auto& need = plan.fds[static_cast<std::size_t>(index)];
    return std::string(word(need.kind)) + " " + need.name;
}

ordered_json sysctls_json(const std::vector<launch::Sysctl>& sysctls) {
    auto out = ordered_json::object();
    for (const auto& item : sysctls) out[item.name] = item.value;
    return out;
}

ordered_json confinement_json(
        const launch::Confinement& confinement, const ContainerFacts& container) {
    auto limits = ordered_json::array();
    for (const auto& limit : confinement.rlimits) {
        limits.push_back(
                {{"resource", limit.resource}, {"soft", limit.soft}, {"hard", limit.hard}});
    }
    const auto names = [](std::uint64_t mask) { return security::capability_names(mask); };
    const auto& sets = confinement.capabilities;
    return {{"capabilities",
             {{"bounding", names(sets.bounding)},
              {"permitted", names(sets.permitted)},
              {"effective", names(sets.effective)},
              {"inheritable", names(sets.inheritable)},
              {"ambient", names(sets.ambient)}}},
            {"no_new_privileges", confinement.no_new_privileges},
            {"seccomp", {{"hash", container.filter.hash}, {"log", confinement.seccomp_log}}},
            {"rlimits", std::move(limits)},
            {"oom_score_adj", confinement.oom_score_adj}};
}

ordered_json mounts_json(const LaunchPlan& plan) {
    auto out = ordered_json::array();
    for (const auto& mount : plan.container.mounts) {
        ordered_json row{{"type", word(mount.kind)}, {"target", mount.target}};
        if (mount.fd != launch::kNoFd) row["source"] = source_json(plan, mount.fd);
        row["attributes"] = attributes_json(mount.attributes);
        if (!mount.options.empty()) row["options"] = mount.options;
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace

std::string to_json(const LaunchPlan& plan, const ContainerFacts& container) {
    auto devices = ordered_json::array();
    for (const auto& node : plan.container.devices) {
        devices.push_back(
                {{"path", "/dev/" + node.path},
                 {"major", node.major},
                 {"minor", node.minor},
                 {"bound", node.fd != launch::kNoFd}});
    }
    auto links = ordered_json::object();
    for (const auto& link : plan.container.links) links[link.path] = link.target;
    auto groups = ordered_json::array();
    for (const auto index : plan.container.cgroups)
        groups.push_back(plan.fds[static_cast<std::size_t>(index)].name);
    const ordered_json out{
            {"handle", plan.container.handle},
            {"class", security::to_string(container.container_class)},
            {"hostname", plan.container.hostname},
            {"namespaces",
             {{"user", plan.namespaces.user},
              {"network", plan.namespaces.network},
              {"time", plan.namespaces.time},
              {"owner_uid", plan.namespaces.owner_uid},
              {"uids", mappings_json(plan.namespaces.uids)},
              {"gids", mappings_json(plan.namespaces.gids)}}},
            {"cgroups", std::move(groups)},
            {"mounts", mounts_json(plan)},
            {"devices", std::move(devices)},
            {"links", std::move(links)},
            {"masked", plan.container.masked},
            {"read_only", plan.container.read_only},
            {"sysctls", sysctls_json(plan.container.sysctls)},
            {"ceilings", sysctls_json(plan.container.ceilings)},
            {"keyring", plan.container.keyring},
            {"apparmor", plan.container.apparmor},
            {"lock_mounts", plan.container.lock_mounts},
            {"init", confinement_json(plan.container.init, container)},
    };
    return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace garden::plan
