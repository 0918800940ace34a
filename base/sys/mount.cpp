#include "base/sys/mount.hpp"

#include "base/sys/error.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mount.h>

#include <string>

// <sys/mount.h> of glibc 2.36 clashes with <linux/mount.h>; these two are all we need from it.
extern "C" int umount2(const char* target, int flags) noexcept;
extern "C" int mount(
        const char* source,
        const char* target,
        const char* type,
        unsigned long flags,
        const void* data) noexcept;

namespace base::sys {

namespace {

constexpr int kDetach = 2;               // MNT_DETACH
constexpr int kUmountNoFollow = 8;       // UMOUNT_NOFOLLOW
constexpr unsigned kRecursive = 0x8000;  // AT_RECURSIVE

std::string with(std::string_view action, std::string_view name) {
    std::string text(action);
    text.append(" ").append(name);
    return text;
}

Result<void> config(FdRef context, unsigned command, const char* key, const char* value, int aux) {
    if (::syscall(SYS_fsconfig, context.get(), command, key, value, aux) != 0) {
        return errno_error(with("configure the mount: option", key == nullptr ? "(create)" : key));
    }
    return ok;
}

Result<void> setattr(FdRef tree, mount_attr attributes, bool recursive) {
    const unsigned flags = static_cast<unsigned>(AT_EMPTY_PATH) | (recursive ? kRecursive : 0U);
    if (::syscall(SYS_mount_setattr, tree.get(), "", flags, &attributes, sizeof attributes) != 0) {
        return errno_error("set mount attributes");
    }
    return ok;
}

}  // namespace

Result<Fd> fs_open(CStr type) {
    Fd fd(static_cast<int>(::syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC)));
    if (!fd) return errno_error(with("open file system type", type.c_str()));
    return fd;
}

Result<void> fs_set_string(FdRef context, CStr key, CStr value) {
    return config(context, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
}

Result<void> fs_set_flag(FdRef context, CStr key) {
    return config(context, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0);
}

Result<void> fs_set_fd(FdRef context, CStr key, FdRef value) {
    return config(context, FSCONFIG_SET_FD, key.c_str(), nullptr, value.get());
}

Result<void> fs_create(FdRef context) {
    return config(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
}

Result<Fd> fs_mount(FdRef context, std::uint64_t attributes) {
    Fd fd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes)));
    if (!fd) return errno_error("mount the configured file system");
    return fd;
}

Result<Fd> clone_tree(FdRef parent, CStr path, bool recursive) {
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                           static_cast<unsigned>(AT_EMPTY_PATH) | (recursive ? kRecursive : 0U);
    Fd fd(static_cast<int>(::syscall(SYS_open_tree, parent.get(), path.c_str(), flags)));
    if (!fd) return errno_error(with("clone the mount of", path.c_str()));
    return fd;
}

Result<void> set_mount_attributes(
        FdRef tree, std::uint64_t set, std::uint64_t clear, bool recursive) {
    mount_attr attributes = {};
    attributes.attr_set = set;
    attributes.attr_clr = clear;
    return setattr(tree, attributes, recursive);
}

Result<void> set_mount_private(FdRef tree) {
    mount_attr attributes = {};
    attributes.propagation = MS_PRIVATE;
    return setattr(tree, attributes, false).context("make a mount private");
}

Result<void> idmap_mount(FdRef tree, FdRef user_namespace, bool recursive) {
    mount_attr attributes = {};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<unsigned>(user_namespace.get());
    return setattr(tree, attributes, recursive).context("map the ids of a mount");
}

Result<void> idmap_mount_with(FdRef tree, FdRef user_namespace, std::uint64_t set) {
    mount_attr attributes = {};
    attributes.attr_set = set | MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<unsigned>(user_namespace.get());
    return setattr(tree, attributes, false).context("map the ids of a mount");
}

Result<void> attach_mount(FdRef tree, FdRef target_parent, CStr target) {
    const unsigned flags =
            MOVE_MOUNT_F_EMPTY_PATH | (*target.c_str() == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0U);
    if (::syscall(SYS_move_mount, tree.get(), "", target_parent.get(), target.c_str(), flags) !=
        0) {
        return errno_error(with("attach a mount at", target.c_str()));
    }
    return ok;
}

Result<void> detach_mount(CStr host_path) {
    if (::umount2(host_path.c_str(), kDetach | kUmountNoFollow) != 0) {
        return errno_error(with("unmount", host_path.c_str()));
    }
    return ok;
}

Result<void> mount_by_path(CStr type, CStr host_path, unsigned long flags, CStr options) {
    if (::mount(type.c_str(), host_path.c_str(), type.c_str(), flags, options.c_str()) != 0) {
        return errno_error(with(with("mount", type.c_str()) + " at", host_path.c_str()));
    }
    return ok;
}

}  // namespace base::sys
