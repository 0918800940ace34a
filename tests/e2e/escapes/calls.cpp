// System calls that were, or could become, a way to the host.
#include "tests/e2e/escapes/attempts.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace escapes {

namespace {

template <class... Arguments>
std::string call(long number, Arguments... arguments) {
    return outcome(::syscall(number, arguments...));
}

std::string cloned(unsigned long flags) {
    const long child = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) ::_exit(0);
    if (child > 0) (void)::waitpid(static_cast<pid_t>(child), nullptr, 0);
    return outcome(child);
}

// The "shocker": a handle of the host's root directory is easily guessed (inode 2 of most file
// systems), and names are walked from there.
std::string open_by_handle() {
    constexpr unsigned kLength = 8;
    alignas(file_handle) std::array<unsigned char, sizeof(file_handle) + kLength> handle{};
    const file_handle head{.handle_bytes = kLength, .handle_type = 1};
    std::memcpy(handle.data(), &head, sizeof head);
    handle[sizeof head] = 2;
    const int mount = ::open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    return outcome(::syscall(SYS_open_by_handle_at, mount, handle.data(), O_RDONLY));
}

std::string inject_into_terminal() {
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) return "no terminal";
    char letter = 'x';
    return outcome(::ioctl(terminal, TIOCSTI, &letter));
}

// The number's high half is ignored by the kernel: a filter that compares all of it is walked
// around (SC-06).
std::string inject_with_high_bits() {
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) return "no terminal";
    char letter = 'x';
    return call(SYS_ioctl, terminal, 0x1'0000'0000UL | TIOCSTI, &letter);
}

// The 32-bit table, whose multiplexed calls hide their arguments from a filter (SC-02).
std::string foreign_abi() {
#ifdef __x86_64__
    long result = 20;  // getpid
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    return result < 0 ? errno_name(static_cast<int>(-result)) : "done";
#else
    return "ENOSYS";
#endif
}

std::string block_device() {
    const char* path = "/tmp/disk";
    (void)::unlink(path);
    if (::mknod(path, S_IFBLK | 0600, makedev(8, 0)) != 0) return errno_name(errno);
    const int disk = ::open(path, O_RDONLY | O_CLOEXEC);
    const std::string words = disk < 0 ? "open " + errno_name(errno) : "done";
    (void)::unlink(path);
    return words;
}

std::string kernel_memory() {
    const char* path = "/tmp/mem";
    (void)::unlink(path);
    if (::mknod(path, S_IFCHR | 0600, makedev(1, 1)) != 0) return errno_name(errno);
    const int memory = ::open(path, O_RDONLY | O_CLOEXEC);
    const std::string words = memory < 0 ? "open " + errno_name(errno) : "done";
    (void)::unlink(path);
    return words;
}

// mkdir, chroot into it, walk up: out of a chroot that is not a mount namespace of its own (FS-03).
std::string out_of_chroot() {
    struct ::stat before {};

    struct ::stat after {};

    if (::stat("/", &before) != 0) return errno_name(errno);
    (void)::mkdir("/tmp/pit", 0700);
    if (::chroot("/tmp/pit") != 0) return errno_name(errno);
    for (int step = 0; step < 64; ++step) {
        if (::chdir("..") != 0) break;
    }
    if (::chroot(".") != 0 || ::stat("/", &after) != 0) return errno_name(errno);
    (void)::rmdir("/tmp/pit");
    return before.st_ino == after.st_ino && before.st_dev == after.st_dev ? "inside" : "outside";
}

std::string new_hierarchy() {
    (void)::mkdir("/tmp/hierarchy", 0700);
    const int result =
            ::mount("none", "/tmp/hierarchy", "cgroup", 0, "none,name=cloche-escape-attempt");
    std::string words = outcome(result);
    if (result == 0) (void)::umount2("/tmp/hierarchy", MNT_DETACH);
    (void)::rmdir("/tmp/hierarchy");
    return words;
}

// CVE-2022-0492: a hierarchy that exists may be mounted with enough rights; its release agent runs
// as root of the host.
std::string release_agent() {
    (void)::mkdir("/tmp/hierarchy", 0700);
    const int result = ::mount("none", "/tmp/hierarchy", "cgroup", 0, "pids");
    std::string words = result == 0 ? "mounted" : outcome(result);
    if (result == 0) {
        const int agent = ::open("/tmp/hierarchy/release_agent", O_WRONLY | O_CLOEXEC);
        words = agent < 0 ? "file " + errno_name(errno) : "done";
        (void)::umount2("/tmp/hierarchy", MNT_DETACH);
    }
    (void)::rmdir("/tmp/hierarchy");
    return words;
}

constexpr int kAlg = 38, kVsock = 40, kX25 = 9;
constexpr long kClone3 = 435, kOpenTree = 428, kFsopen = 430, kMountSetattr = 442;
constexpr long kPidfdGetfd = 438;

const Attempt kAttempts[] = {
        {"open_by_handle_at", open_by_handle},
        {"clone-user", [] { return cloned(CLONE_NEWUSER); }},
        {"clone-mount", [] { return cloned(CLONE_NEWNS); }},
        {"clone-net", [] { return cloned(CLONE_NEWNET); }},
        {"clone-cgroup", [] { return cloned(CLONE_NEWCGROUP); }},
        {"clone3", [] { return call(kClone3, nullptr, 0); }},
        {"unshare-user", [] { return outcome(::unshare(CLONE_NEWUSER)); }},
        {"unshare-mount", [] { return outcome(::unshare(CLONE_NEWNS)); }},
        {"setns",
         [] { return outcome(::setns(::open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC), 0)); }},
        {"pivot_root", [] { return call(SYS_pivot_root, ".", "."); }},
        {"open_tree", [] { return call(kOpenTree, AT_FDCWD, "/", 0); }},
        {"fsopen", [] { return call(kFsopen, "proc", 0); }},
        {"mount_setattr", [] { return call(kMountSetattr, -1, "", 0, nullptr, 0); }},
        {"keyctl", [] { return call(SYS_keyctl, 0, -3, 0); }},
        {"add_key", [] { return call(SYS_add_key, "user", "escape", "x", 1, -3); }},
        {"bpf", [] { return call(SYS_bpf, 0, nullptr, 0); }},
        {"perf_event_open", [] { return call(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
        {"userfaultfd", [] { return call(SYS_userfaultfd, 1); }},
        {"io_uring_setup", [] { return call(SYS_io_uring_setup, 1, nullptr); }},
        {"vmsplice", [] { return call(SYS_vmsplice, -1, nullptr, 0, 0); }},
        {"init_module", [] { return call(SYS_init_module, nullptr, 0, ""); }},
        {"kexec_load", [] { return call(SYS_kexec_load, 0, 0, nullptr, 0); }},
        {"swapon", [] { return call(SYS_swapon, "/nowhere", 0); }},
        {"settimeofday", [] { return call(SYS_settimeofday, nullptr, nullptr); }},
        {"sethostname", [] { return call(SYS_sethostname, nullptr, -1); }},
        {"syslog", [] { return call(SYS_syslog, 10, nullptr, 0); }},
        {"pidfd_getfd", [] { return call(kPidfdGetfd, -1, 0, 0); }},
        {"socket-alg", [] { return outcome(::socket(kAlg, SOCK_SEQPACKET, 0)); }},
        {"socket-vsock", [] { return outcome(::socket(kVsock, SOCK_STREAM, 0)); }},
        {"socket-x25", [] { return outcome(::socket(kX25, SOCK_SEQPACKET, 0)); }},
        {"tiocsti", inject_into_terminal},
        {"tiocsti-high-bits", inject_with_high_bits},
        {"foreign-abi", foreign_abi},
        {"block-device", block_device},
        {"kernel-memory", kernel_memory},
        {"chroot", out_of_chroot},
        {"new-hierarchy", new_hierarchy},
        {"release-agent", release_agent},
};

}  // namespace

std::span<const Attempt> attempts_by_calls() {
    return kAttempts;
}

}  // namespace escapes
