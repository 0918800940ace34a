// The descriptor-based mount API (fsopen, open_tree, move_mount, mount_setattr). One-to-one, no
// policy. Used by rootfs (volumes, layers) and by tests; the container's child uses
// base/sys/raw.hpp instead.
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace base::sys {

Result<Fd> fs_open(CStr type);                                    // fsopen
Result<void> fs_set_string(FdRef context, CStr key, CStr value);  // FSCONFIG_SET_STRING
Result<void> fs_set_flag(FdRef context, CStr key);                // FSCONFIG_SET_FLAG
Result<void> fs_set_fd(FdRef context, CStr key, FdRef value);     // FSCONFIG_SET_FD
Result<void> fs_create(FdRef context);                            // FSCONFIG_CMD_CREATE
Result<Fd> fs_mount(
        FdRef context, std::uint64_t attributes);  // fsmount; MOUNT_ATTR_* of <linux/mount.h>
// A detached clone of the mount at `path` below `parent` ("" for `parent` itself).
Result<Fd> clone_tree(FdRef parent, CStr path, bool recursive);
Result<void> set_mount_attributes(
        FdRef tree, std::uint64_t set, std::uint64_t clear, bool recursive);
// MS_PRIVATE: what the host mounts below the source later stays out of the clone.
Result<void> set_mount_private(FdRef tree);
// MOUNT_ATTR_IDMAP with the mapping of `user_namespace` (Linux 5.12; overlay mounts themselves
// refuse it).
Result<void> idmap_mount(FdRef tree, FdRef user_namespace, bool recursive);
// The same together with further attributes, in one system call: what a lower layer of an overlay
// gets (FS-01).
Result<void> idmap_mount_with(FdRef tree, FdRef user_namespace, std::uint64_t set);
Result<void> attach_mount(
        FdRef tree, FdRef target_parent, CStr target);  // move_mount; "" = `target_parent` itself
Result<void> detach_mount(CStr host_path);              // umount2(MNT_DETACH | UMOUNT_NOFOLLOW)
// mount(2), for kernels whose overlay takes no layers by descriptor (before 6.5). `target` is a
// path of ours alone.
Result<void> mount_by_path(CStr type, CStr host_path, unsigned long flags, CStr options);

}  // namespace base::sys
