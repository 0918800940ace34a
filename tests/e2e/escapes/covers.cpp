// What covers /proc and /sys, and how it could be taken off or walked around (FS-12).
#include "tests/e2e/escapes/attempts.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

namespace escapes {

namespace {

constexpr const char* kMask = "/proc/keys";
constexpr const char* kReadOnly = "/proc/sys";
constexpr long kOpenTree = 428, kMountSetattr = 442;
constexpr unsigned kClone = 1, kTree = 0x8000;  // OPEN_TREE_CLONE, AT_RECURSIVE

struct Attributes {  // struct mount_attr: the C library's header and the kernel's exclude each
                     // other
    std::uint64_t set = 0;
    std::uint64_t clear = 0;
    std::uint64_t propagation = 0;
    std::uint64_t user_namespace = 0;
};

std::string unmount() {
    return outcome(::umount2(kMask, MNT_DETACH));
}

std::string remount() {
    return outcome(::mount(nullptr, kReadOnly, nullptr, MS_REMOUNT | MS_BIND, nullptr));
}

std::string set_attributes() {
    const Attributes writable{.clear = 1};  // MOUNT_ATTR_RDONLY
    return outcome(::syscall(kMountSetattr, AT_FDCWD, kReadOnly, 0, &writable, sizeof writable));
}

std::string move_mask() {
    const int place = ::open("/mnt/moved", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (place >= 0) (void)::close(place);
    std::string words = outcome(::mount(kMask, "/mnt/moved", nullptr, MS_MOVE, nullptr));
    (void)::unlink("/mnt/moved");
    return words;
}

// A second place for what lies below, without what covers it.
std::string bind_without() {
    const int result = ::mount("/proc", "/mnt", nullptr, MS_BIND, nullptr);
    std::string words = outcome(result);
    if (result == 0) (void)::umount2("/mnt", MNT_DETACH);
    return words;
}

// The copy of the covers is as fast to the copy of what is below.
std::string unmount_from_copy() {
    if (::mount("/proc", "/mnt", nullptr, MS_BIND | MS_REC, nullptr) != 0) return errno_name(errno);
    std::string words = outcome(::umount2("/mnt/keys", MNT_DETACH));
    (void)::umount2("/mnt", MNT_DETACH);
    return words;
}

std::string unmount_in_new(int namespaces) {
    return ::unshare(namespaces) != 0 ? errno_name(errno) : unmount();
}

std::string mount_new(const char* type) {
    const int result = ::mount(type, "/mnt", type, 0, nullptr);
    std::string words = outcome(result);
    if (result == 0) (void)::umount2("/mnt", MNT_DETACH);
    return words;
}

// As a nested engine would, for the processes of a namespace of its own.
std::string proc_of_new_pids() {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return errno_name(errno);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::mount("proc", "/mnt", "proc", 0, nullptr) == 0 ? 0 : errno);
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) return errno_name(errno);
    const int number = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    return number == 0 ? "done" : errno_name(number);
}

const Attempt kAttempts[] = {
        {"umount-mask", unmount},
        {"umount-mask-new-mounts", [] { return unmount_in_new(CLONE_NEWNS); }},
        {"umount-mask-new-user", [] { return unmount_in_new(CLONE_NEWUSER | CLONE_NEWNS); }},
        {"umount-mask-of-copy", unmount_from_copy},
        {"move-mask", move_mask},
        {"bind-without-masks", bind_without},
        {"clone-tree-without-masks",
         [] { return outcome(::syscall(kOpenTree, AT_FDCWD, "/proc", kClone)); }},
        {"clone-tree-with-masks",
         [] { return outcome(::syscall(kOpenTree, AT_FDCWD, "/proc", kClone | kTree)); }},
        {"remount-cover", remount},
        {"setattr-cover", set_attributes},
        {"mount-proc", [] { return mount_new("proc"); }},
        {"mount-proc-new-pids", proc_of_new_pids},
        {"mount-sysfs", [] { return mount_new("sysfs"); }},
        {"mount-tmpfs", [] { return mount_new("tmpfs"); }},
        // At the very end, because real root takes it away from everything that follows.
        {"umount-proc", [] { return outcome(::umount2("/proc", MNT_DETACH)); }},
};

}  // namespace

std::span<const Attempt> attempts_by_covers() {
    return kAttempts;
}

}  // namespace escapes
