#include "garden/plan/mount_table.hpp"

#include <linux/mount.h>

#include <algorithm>

namespace garden::plan {

namespace {

using launch::Mount;
using launch::MountKind;

constexpr std::uint64_t kNoSuid = MOUNT_ATTR_NOSUID;
constexpr std::uint64_t kNoDev = MOUNT_ATTR_NODEV;
constexpr std::uint64_t kNoExec = MOUNT_ATTR_NOEXEC;
constexpr std::uint64_t kReadOnly = MOUNT_ATTR_RDONLY;

Mount kernel_mount(
        MountKind kind,
        std::string target,
        std::uint64_t attributes,
        std::vector<std::string> options = {}) {
    return {.kind = kind,
            .target = std::move(target),
            .fd = launch::kNoFd,
            .attributes = attributes,
            .options = std::move(options),
            .target_is_file = false};
}

// The container's own groups, read-only. Clones of what the host has mounted: a mount of a v1
// hierarchy made anew waits until the kernel has buried every group that was removed before.
// Privileged containers have none (§3): with real root a writable hierarchy would be an escape, and
// Garden shows none either.
void add_cgroups(launch::ViewPlan& view, std::vector<FdNeed>& fds, const HostFacts& host) {
    const auto add = [&](std::size_t index, std::string target) {
        view.mounts.push_back(
                {.kind = MountKind::attach,
                 .target = std::move(target),
                 .fd = static_cast<launch::FdIndex>(fds.size()),
                 .attributes = kReadOnly | kNoSuid | kNoDev | kNoExec,
                 .options = {},
                 .target_is_file = false});
        fds.push_back(
                {.kind = FdKind::cgroup_view,
                 .name = host.cgroup_hierarchies[index],
                 .index = index});
    };
    const auto& names = host.cgroup_hierarchies;
    if (names.size() == 1 && names.front() == "unified") return add(0, "/sys/fs/cgroup");
    view.mounts.push_back(kernel_mount(
            MountKind::tmpfs, "/sys/fs/cgroup", kNoSuid | kNoDev | kNoExec,
            {"mode=755", "size=64k"}));
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto& name = names[i];
        add(i, "/sys/fs/cgroup/" + (name.starts_with("name=") ? name.substr(5) : name));
    }
}

void add_file(launch::ViewPlan& view, std::vector<FdNeed>& fds, FdKind kind, std::string target) {
    view.mounts.push_back(
            {.kind = MountKind::attach,
             .target = target,
             .fd = static_cast<launch::FdIndex>(fds.size()),
             .attributes = kNoSuid | kNoDev | kNoExec,
             .options = {},
             .target_is_file = true});
    fds.push_back({.kind = kind, .name = std::move(target), .index = 0});
}

}  // namespace

void add_mounts(
        launch::ViewPlan& view,
        std::vector<FdNeed>& fds,
        const std::vector<BindMountSpec>& bind_mounts,
        const HostFacts& host,
        const ContainerFacts& container) {
    auto& mounts = view.mounts;
    mounts.push_back(kernel_mount(MountKind::proc, "/proc", kNoSuid | kNoDev | kNoExec));
    mounts.push_back(kernel_mount(
            MountKind::tmpfs, "/dev", kNoSuid | kNoExec | MOUNT_ATTR_STRICTATIME,
            {"mode=755", "size=64m"}));
    mounts.push_back(kernel_mount(
            MountKind::devpts, "/dev/pts", kNoSuid | kNoExec,
            {"newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
    mounts.push_back(kernel_mount(
            MountKind::tmpfs, "/dev/shm", kNoSuid | kNoDev | kNoExec, {"mode=1777", "size=64m"}));
    if (host.posix_message_queues) {
        mounts.push_back(
                kernel_mount(MountKind::mqueue, "/dev/mqueue", kNoSuid | kNoDev | kNoExec));
    }
    mounts.push_back(
            kernel_mount(MountKind::sysfs, "/sys", kReadOnly | kNoSuid | kNoDev | kNoExec));
    if (container.container_class != security::Class::privileged) add_cgroups(view, fds, host);
    for (std::size_t i = 0; i < bind_mounts.size(); ++i) {
        const auto& bind = bind_mounts[i];
        mounts.push_back(
                {.kind = MountKind::attach,
                 .target = bind.destination,
                 .fd = static_cast<launch::FdIndex>(fds.size()),
                 .attributes = kNoSuid | kNoDev | (bind.writable ? 0 : kReadOnly),  // NNP-06
                 .options = {},
                 .target_is_file = i < container.bind_source_is_file.size() &&
                                   container.bind_source_is_file[i]});
        fds.push_back({.kind = FdKind::bind_mount, .name = bind.source, .index = i});
    }
    add_file(view, fds, FdKind::hosts, "/etc/hosts");
    add_file(view, fds, FdKind::resolv_conf, "/etc/resolv.conf");
    add_file(view, fds, FdKind::hostname, "/etc/hostname");
}

}  // namespace garden::plan
