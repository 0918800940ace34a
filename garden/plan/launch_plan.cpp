#include "garden/plan/launch_plan.hpp"

#include "garden/plan/mount_table.hpp"
#include "security/capabilities.hpp"
#include "security/devices.hpp"
#include "security/paths.hpp"

#include <algorithm>

namespace garden::plan {

namespace {

constexpr std::size_t kHostnameBytes = 49;

// ID-08: nested user namespaces are where most kernel surface begins; the other ceilings bound what
// one container can make the kernel allocate in the name of its owner.
std::vector<launch::Sysctl> ceilings_of(security::Class container_class) {
    std::vector<launch::Sysctl> ceilings;
    if (!has_user_namespace(container_class)) return ceilings;
    const auto add = [&](std::string name, std::string value) {
        ceilings.push_back(
                {.name = "user/" + std::move(name), .value = std::move(value), .required = false});
    };
    add("max_inotify_instances", "1024");
    add("max_inotify_watches", "524288");
    add("max_fanotify_groups", "128");
    add("max_fanotify_marks", "65536");
    if (container_class == security::Class::unprivileged) {
        // One above what the container itself consists of, so that the engine can still add a mount
        // namespace of a pea.
        for (const char* kind : {"mnt", "net", "pid", "ipc", "uts", "cgroup", "time"}) {
            add(std::string("max_") + kind + "_namespaces", "64");
        }
        add("max_user_namespaces", "0");
    }
    return ceilings;
}

std::vector<launch::Sysctl> sysctls_of(
        const HostFacts& host, const ContainerFacts& container, bool no_new_privileges) {
    std::vector<launch::Sysctl> sysctls;
    for (const auto& [name, value] : host.sysctls) {
        std::string path = name;
        for (char& c : path) c = c == '.' ? '/' : c;
        sysctls.push_back({.name = std::move(path), .value = value, .required = true});
    }
    if (no_new_privileges) {
        // NNP-02: a set-uid ping no longer works, so ping sockets are opened to every mapped group.
        constexpr std::uint32_t kMost = 2'147'483'647;  // the kernel's, for this file
        const auto last = has_user_namespace(container.container_class)
                                  ? std::min(container.id_length - 1, kMost)
                                  : kMost;
        sysctls.push_back(
                {.name = "net/ipv4/ping_group_range",
                 .value = "0 " + std::to_string(last),
                 .required = true});
    }
    return sysctls;
}

void add_devices(
        launch::ViewPlan& view,
        std::vector<FdNeed>& fds,
        const HostFacts& host,
        security::Class container_class) {
    for (const auto& node : security::device_nodes(container_class)) {
        if (host.absent_devices.contains("/dev/" + node.name)) continue;
        launch::DeviceNode device{
                .path = node.name,
                .major = node.major,
                .minor = node.minor,
                .mode = node.mode,
                .fd = launch::kNoFd};
        if (has_user_namespace(container_class)) {
            // The kernel refuses mknod in a user namespace: the verified host node is bound instead
            // (DEV-01).
            device.fd = static_cast<launch::FdIndex>(fds.size());
            fds.push_back({.kind = FdKind::device, .name = "/dev/" + node.name, .index = 0});
        }
        view.devices.push_back(std::move(device));
    }
    view.links = {
            {.path = "/dev/ptmx", .target = "pts/ptmx"},
            {.path = "/dev/fd", .target = "/proc/self/fd"},
            {.path = "/dev/stdin", .target = "/proc/self/fd/0"},
            {.path = "/dev/stdout", .target = "/proc/self/fd/1"},
            {.path = "/dev/stderr", .target = "/proc/self/fd/2"},
    };
}

}  // namespace

std::string hostname_of(const Handle& handle) {
    const auto& text = handle.get();
    return text.size() <= kHostnameBytes ? text : text.substr(text.size() - kHostnameBytes);
}

launch::NamespacePlan plan_namespaces(const ContainerFacts& container) {
    launch::NamespacePlan plan;
    plan.user = has_user_namespace(container.container_class);
    plan.network = true;
    plan.time = false;
    if (plan.user) {
        plan.uids = {{.inside = 0, .outside = container.id_base, .count = container.id_length}};
        if (container.garden_ids) {
            plan.uids = {
                    {.inside = 0, .outside = kGardenRootId, .count = 1},
                    {.inside = 1, .outside = 1, .count = kGardenIdLength - 1}};
        }
        plan.gids = plan.uids;
        plan.owner_uid = container.id_base;  // ID-07
        plan.owner_gid = container.id_base;
    }
    return plan;
}

base::Result<launch::Confinement> plan_confinement(
        const HostFacts& host,
        const ContainerFacts& container,
        bool no_new_privileges,
        std::uint32_t uid,
        const RlimitSpec& rlimits) {
    const security::CapabilityPolicy policy{
            .container_class = container.container_class,
            .available = host.available_capabilities,
            .garden_inheritable = host.garden_inheritable,
    };
    const auto sets = security::capability_sets(policy, uid);
    launch::Confinement confinement{
            .capabilities =
                    {.bounding = sets.bounding,
                     .permitted = sets.permitted,
                     .effective = sets.effective,
                     .inheritable = sets.inheritable,
                     .ambient = sets.ambient},
            .no_new_privileges = no_new_privileges,
            .seccomp = container.filter.program,
            .seccomp_log = container.filter.log,
            .rlimits = {},
            .oom_score_adj = host.oom_score_adj,
    };
    for (const auto& limit : TRY(security::rlimits(rlimits, host.rlimits))) {
        confinement.rlimits.push_back(
                {.resource = limit.resource, .soft = limit.soft, .hard = limit.hard});
    }
    return confinement;
}

void add_view(
        launch::ViewPlan& view,
        std::vector<FdNeed>& fds,
        const std::vector<BindMountSpec>& bind_mounts,
        const HostFacts& host,
        const ContainerFacts& container) {
    view.root = static_cast<launch::FdIndex>(fds.size());
    fds.push_back({.kind = FdKind::root, .name = "/", .index = 0});
    add_mounts(view, fds, bind_mounts, host, container);
    add_devices(view, fds, host, container.container_class);
    view.masked = security::masked_paths(container.container_class);
    view.read_only = security::read_only_paths(container.container_class);
}

LaunchPlan plan_container(
        const ContainerSpec& spec, const HostFacts& host, const ContainerFacts& container) {
    LaunchPlan plan;
    plan.namespaces = plan_namespaces(container);
    plan.container.handle = spec.handle.get();
    plan.container.hostname = hostname_of(spec.handle);
    for (std::size_t i = 0; i < host.cgroup_hierarchies.size(); ++i) {
        plan.container.cgroups.push_back(static_cast<launch::FdIndex>(plan.fds.size()));
        plan.fds.push_back(
                {.kind = FdKind::cgroup, .name = host.cgroup_hierarchies[i], .index = i});
    }
    add_view(plan.container, plan.fds, spec.bind_mounts, host, container);
    const bool no_new_privileges =
            spec.no_new_privileges ||
            (host.no_new_privileges && container.container_class == security::Class::unprivileged);
    if (container.container_class == security::Class::unprivileged)
        plan.container.apparmor = host.apparmor;
    // FS-12: the class may mount, but not take off what covers /proc and /sys. Where nobody may
    // mount the lock would only cost time; without a user namespace there is none.
    plan.container.lock_mounts = container.container_class == security::Class::privileged_in_userns;
    plan.container.sysctls = sysctls_of(host, container, no_new_privileges);
    plan.container.ceilings = ceilings_of(container.container_class);
    // Without requests the rlimits are our own defaults, clamped: that cannot fail.
    plan.container.init = plan_confinement(host, container, no_new_privileges, 0, {}).value();
    return plan;
}

}  // namespace garden::plan
