// Bare system calls for code between clone and exec: nothing here allocates, throws or locks;
// errors are in errno. Used by garden/launch/shim (the children) and garden/launch/init. Everybody
// else has the wrappers beside this file.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>

#include <cstddef>
#include <cstdint>

// <sys/mount.h> of glibc 2.36 clashes with <linux/mount.h>; these two are all we need from it.
extern "C" int mount(
        const char* source,
        const char* target,
        const char* type,
        unsigned long flags,
        const void* data) noexcept;
extern "C" int umount2(const char* target, int flags) noexcept;

namespace base::sys::raw {

inline constexpr unsigned kRecursive = 0x8000;  // AT_RECURSIVE
inline constexpr int kDetach = 2;               // MNT_DETACH

// The default for any signal, also for the two that the C library keeps to itself.
inline int reset_signal(int number) noexcept {
    constexpr std::size_t kSetBytes = 8;
    // The kernel's own struct, all zero: SIG_DFL, no flags, no mask. Large enough everywhere.
    const unsigned long action[8] = {};
    return static_cast<int>(::syscall(SYS_rt_sigaction, number, action, nullptr, kSetBytes));
}

inline long clone3(clone_args& args) noexcept {
    return ::syscall(SYS_clone3, &args, sizeof args);
}

inline int openat2(
        int parent, const char* path, std::uint64_t flags, std::uint64_t resolve) noexcept {
    open_how how = {};
    how.flags = flags | O_CLOEXEC;
    how.resolve = resolve;
    constexpr int kRetries = 128;  // EAGAIN: a rename or mount raced the lookup (openat2(2))
    long fd = -1;
    for (int i = 0; i < kRetries; ++i) {
        fd = ::syscall(SYS_openat2, parent, path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN) break;
    }
    return static_cast<int>(fd);
}

inline int open_tree(int parent, const char* path, unsigned flags) noexcept {
    return static_cast<int>(::syscall(
            SYS_open_tree, parent, path,
            flags | OPEN_TREE_CLOEXEC | static_cast<unsigned>(AT_EMPTY_PATH)));
}

inline int move_mount(int tree, int target) noexcept {
    return static_cast<int>(::syscall(
            SYS_move_mount, tree, "", target, "",
            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

inline int mount_setattr(int tree, unsigned flags, mount_attr& attributes) noexcept {
    return static_cast<int>(::syscall(
            SYS_mount_setattr, tree, "", flags | static_cast<unsigned>(AT_EMPTY_PATH), &attributes,
            sizeof attributes));
}

inline int fsopen(const char* type) noexcept {
    return static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}

inline int fsconfig(int context, unsigned command, const char* key, const char* value) noexcept {
    return static_cast<int>(::syscall(SYS_fsconfig, context, command, key, value, 0));
}

inline int fsmount(int context, std::uint64_t attributes) noexcept {
    return static_cast<int>(::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes));
}

inline int pivot_root(const char* new_root, const char* put_old) noexcept {
    return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}

inline int close_range(unsigned first, unsigned last, unsigned flags) noexcept {
    return static_cast<int>(::syscall(SYS_close_range, first, last, flags));
}

inline int pidfd_send_signal(int pidfd, int number) noexcept {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0));
}

}  // namespace base::sys::raw
