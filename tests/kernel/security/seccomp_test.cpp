#include "security/seccomp.hpp"

#include "tests/kernel/security/child.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include <thread>

using security::Class;
using security::Filter;
using test::Ended;
using test::Probe;

namespace {

bool load(const Filter& filter) {
    // The filter is the kernel's from now on; sock_fprog wants a mutable pointer.
    std::string program = filter.program;
    sock_fprog descriptor = {
            .len = static_cast<unsigned short>(program.size() / sizeof(sock_filter)),
            .filter = reinterpret_cast<sock_filter*>(program.data())};
    const unsigned flags = filter.log ? SECCOMP_FILTER_FLAG_LOG : 0;
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &descriptor) == 0;
}

Ended under(const Filter& filter, const std::function<int(int)>& body) {
    return test::in_child([&](int out) { return load(filter) ? body(out) : 99; });
}

void check_probes(const Filter& filter, const std::vector<Probe>& probes) {
    const auto ended = under(filter, [&](int out) { return test::run_probes(probes, out); });
    INFO(ended.output);
    CHECK(ended.signal == 0);
    CHECK(ended.code == 0);
}

long raw_clone(unsigned long flags) {
    const long pid = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (pid == 0) ::_exit(0);
    if (pid > 0) (void)::waitpid(static_cast<pid_t>(pid), nullptr, 0);
    return pid;
}

#ifdef __x86_64__
// A system call through the 32-bit gate, from this 64-bit process.
long gate_32(long number) {
    long value = number;
    __asm__ volatile("int $0x80"
                     : "+a"(value)
                     : "b"(0), "c"(0), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    if (value < 0 && value > -4096) {
        errno = static_cast<int>(-value);
        return -1;
    }
    return value;
}
#endif

constexpr unsigned long kHigh = 1UL << 32;

std::vector<Probe> terminal_probes() {
    return {
            {"ioctl TIOCSTI", [] { return ::syscall(SYS_ioctl, -1, 0x5412UL, 0); }, EPERM},
            {"SC-06 ioctl TIOCSTI with high bits",
             [] { return ::syscall(SYS_ioctl, -1, 0x5412UL | kHigh, 0); }, EPERM},
            {"ioctl TIOCLINUX", [] { return ::syscall(SYS_ioctl, -1, 0x541CUL, 0); }, EPERM},
            {"ioctl TIOCGWINSZ", [] { return ::syscall(SYS_ioctl, -1, 0x5413UL, 0); }, EBADF},
            {"socket AF_ALG", [] { return ::syscall(SYS_socket, 38, SOCK_SEQPACKET, 0); }, EPERM},
            {"SC-06 socket AF_ALG with high bits",
             [] { return ::syscall(SYS_socket, 38 | kHigh, SOCK_SEQPACKET, 0); }, EPERM},
            {"socket AF_VSOCK", [] { return ::syscall(SYS_socket, 40, SOCK_STREAM, 0); }, EPERM},
            {"SC-03 call 467", [] { return ::syscall(467); }, ENOSYS},
            {"SC-03 call 1000", [] { return ::syscall(1000); }, ENOSYS},
#ifdef __x86_64__
            {"SC-02 getpid of x32", [] { return ::syscall(0x40000000L | SYS_getpid); }, ENOSYS},
            {"SC-02 getpid of i386", [] { return gate_32(20); }, ENOSYS},
#endif
    };
}

std::string profile(const std::string& rest) {
    return R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[)" + rest + "]}";
}

}  // namespace

TEST_CASE("SC-01..05 the unprivileged filter answers each denied call with its errno", "[root]") {
    NEEDS(root);
    auto probes = terminal_probes();
    const std::vector<Probe> more = {
            {"clone NEWUSER", [] { return raw_clone(CLONE_NEWUSER); }, EPERM},
            {"clone NEWNS", [] { return raw_clone(CLONE_NEWNS); }, EPERM},
            {"clone NEWCGROUP", [] { return raw_clone(CLONE_NEWCGROUP); }, EPERM},
            {"clone NEWPID", [] { return raw_clone(CLONE_NEWPID); }, EPERM},
            {"clone NEWNET", [] { return raw_clone(CLONE_NEWNET); }, EPERM},
            {"unshare NEWUSER", [] { return ::syscall(SYS_unshare, CLONE_NEWUSER); }, EPERM},
            {"setns", [] { return ::syscall(SYS_setns, -1, 0); }, EPERM},
            {"SC-04 clone3", [] { return ::syscall(SYS_clone3, nullptr, 0); }, ENOSYS},
            {"mount", [] { return ::syscall(SYS_mount, "none", "/", "tmpfs", 0, nullptr); }, EPERM},
            {"umount2", [] { return ::syscall(SYS_umount2, "/nowhere", 0); }, EPERM},
            {"pivot_root", [] { return ::syscall(SYS_pivot_root, ".", "."); }, EPERM},
            {"open_tree", [] { return ::syscall(428, -1, "", 0); }, EPERM},
            {"fsopen", [] { return ::syscall(430, "tmpfs", 0); }, EPERM},
            {"mount_setattr", [] { return ::syscall(442, -1, "", 0, nullptr, 0); }, EPERM},
            {"keyctl", [] { return ::syscall(SYS_keyctl, 0, -3, 0); }, EPERM},
            {"add_key", [] { return ::syscall(SYS_add_key, "user", "x", "y", 1, -3); }, EPERM},
            {"request_key", [] { return ::syscall(SYS_request_key, "user", "x", nullptr, -3); },
             EPERM},
            {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }, EPERM},
            {"perf_event_open",
             [] { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }, EPERM},
            {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 1); }, EPERM},
            {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }, EPERM},
            {"vmsplice", [] { return ::syscall(SYS_vmsplice, -1, nullptr, 0, 0); }, EPERM},
            {"open_by_handle_at", [] { return ::syscall(SYS_open_by_handle_at, -1, nullptr, 0); },
             EPERM},
            {"init_module", [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }, EPERM},
            {"kexec_load", [] { return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); }, EPERM},
            {"reboot", [] { return ::syscall(SYS_reboot, 0, 0, 0, nullptr); }, EPERM},
            {"settimeofday", [] { return ::syscall(SYS_settimeofday, nullptr, nullptr); }, EPERM},
            {"sethostname", [] { return ::syscall(SYS_sethostname, nullptr, 0); }, EPERM},
            {"swapon", [] { return ::syscall(SYS_swapon, "/nowhere", 0); }, EPERM},
            {"syslog", [] { return ::syscall(SYS_syslog, 10, nullptr, 0); }, EPERM},
            {"mbind", [] { return ::syscall(SYS_mbind, nullptr, 0, 0, nullptr, 0, 0); }, EPERM},
            {"kcmp", [] { return ::syscall(SYS_kcmp, 0, 0, 0, 0, 0); }, EPERM},
            {"pidfd_getfd", [] { return ::syscall(438, -1, 0, 0); }, EPERM},
            {"personality of an old system", [] { return ::syscall(SYS_personality, 0x0040000); },
             EPERM},
            {"socket AF_X25", [] { return ::syscall(SYS_socket, 9, SOCK_SEQPACKET, 0); },
             EAFNOSUPPORT},
            {"socketpair AF_VSOCK",
             [] { return ::syscall(SYS_socketpair, 40, SOCK_STREAM, 0, nullptr); }, EPERM},
#ifdef __x86_64__
            {"_sysctl", [] { return ::syscall(156, nullptr); }, EPERM},
            {"modify_ldt", [] { return ::syscall(SYS_modify_ldt, 0, nullptr, 0); }, EPERM},
            {"iopl", [] { return ::syscall(SYS_iopl, 0); }, EPERM},
#endif
    };
    probes.insert(probes.end(), more.begin(), more.end());
    check_probes(security::class_filter(Class::unprivileged).value(), probes);
}

TEST_CASE("6.2 under the unprivileged filter ordinary programs work", "[root]") {
    NEEDS(root);
    const std::vector<Probe> probes = {
            {"fork", [] { return raw_clone(0); }, 0},
            {"socket UNIX", [] { return ::syscall(SYS_socket, 1, SOCK_STREAM, 0); }, 0},
            {"socket INET", [] { return ::syscall(SYS_socket, 2, SOCK_STREAM, 0); }, 0},
            {"socket INET6", [] { return ::syscall(SYS_socket, 10, SOCK_STREAM, 0); }, 0},
            {"socket NETLINK", [] { return ::syscall(SYS_socket, 16, SOCK_RAW, 0); }, 0},
            {"personality query", [] { return ::syscall(SYS_personality, 0xffffffff); }, 0},
            {"chroot", [] { return ::syscall(SYS_chroot, "/"); }, 0},
            {"name_to_handle_at",
             [] { return ::syscall(SYS_name_to_handle_at, -1, "x", nullptr, nullptr, 0); }, 0},
            {"openat2", [] { return ::syscall(437, -1, "x", nullptr, 0); }, 0},
            {"faccessat2", [] { return ::syscall(439, AT_FDCWD, "/", 0, 0); }, 0},
            {"close_range", [] { return ::syscall(436, 1000, 1001, 0); }, 0},
            {"memfd_create", [] { return ::syscall(SYS_memfd_create, "x", 0); }, 0},
            {"seccomp", [] { return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, nullptr); },
             0},
            {"ptrace", [] { return ::syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0); }, 0},
    };
    check_probes(security::class_filter(Class::unprivileged).value(), probes);
    const auto ended = under(security::class_filter(Class::unprivileged).value(), [](int out) {
        // A thread: the C library tries clone3 first and has to come back to clone (SC-04).
        int value = 1;
        std::thread([&] { value = 0; }).join();
        if (value != 0) return 1;
        (void)::dup2(out, 1);
        ::execl("/bin/sh", "sh", "-c", "grep Seccomp: /proc/self/status; echo a | cat; (exit 3)",
                nullptr);
        return 2;
    });
    CHECK(ended.code == 3);
    CHECK(ended.output == "Seccomp:\t2\na\n");
}

TEST_CASE(
        "6.6 the privileged filter closes the host-global calls and leaves what nested engines "
        "need",
        "[root]") {
    NEEDS(root);
    auto probes = terminal_probes();
    const std::vector<Probe> more = {
            {"kexec_load", [] { return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); }, EPERM},
            {"init_module", [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }, EPERM},
            {"settimeofday", [] { return ::syscall(SYS_settimeofday, nullptr, nullptr); }, EPERM},
            {"open_by_handle_at", [] { return ::syscall(SYS_open_by_handle_at, -1, nullptr, 0); },
             EPERM},
            {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }, EPERM},
            {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 1); }, EPERM},
            {"swapoff", [] { return ::syscall(SYS_swapoff, "/nowhere"); }, EPERM},
            {"vmsplice", [] { return ::syscall(SYS_vmsplice, -1, nullptr, 0, 0); }, EPERM},
            {"clone NEWUSER", [] { return raw_clone(CLONE_NEWUSER); }, 0},
            {"clone3", [] { return ::syscall(SYS_clone3, nullptr, 0); }, EINVAL},
            {"unshare NEWNS", [] { return ::syscall(SYS_unshare, CLONE_NEWNS); }, 0},
            {"fsopen", [] { return ::syscall(430, "tmpfs", 0); }, 0},
            {"keyctl", [] { return ::syscall(SYS_keyctl, 0, -5, 0); }, 0},
            {"personality", [] { return ::syscall(SYS_personality, 0x0040000); }, 0},
            {"mount", [] { return ::syscall(SYS_mount, "none", "/nowhere", "tmpfs", 0, nullptr); },
             ENOENT},
    };
    probes.insert(probes.end(), more.begin(), more.end());
    check_probes(security::class_filter(Class::privileged).value(), probes);
}

TEST_CASE("SC-07 an unprivileged process can load the filter with no_new_privs only", "[root]") {
    NEEDS(root);
    const auto filter = security::class_filter(Class::unprivileged).value();
    const auto without = test::in_child([&](int) {
        return ::setresuid(1000, 1000, 1000) != 0 ? 3 : load(filter) ? 1 : 0;
    });
    CHECK(without.code == 0);
    const auto with = test::in_child([&](int) {
        if (::setresuid(1000, 1000, 1000) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
            return 3;
        return load(filter) ? 0 : 1;
    });
    CHECK(with.code == 0);
}

TEST_CASE("SC-09 the kernel does what an OCI profile says", "[root]") {
    NEEDS(root);
    const auto filter = security::compile_profile(
                                profile(R"(
        {"names":["getppid"],"action":"SCMP_ACT_ERRNO","errnoRet":77},
        {"names":["lseek"],"action":"SCMP_ACT_ERRNO","errnoRet":78,"args":[{"index":1,"value":4294967301,"op":"SCMP_CMP_GE"}]},
        {"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":79,"args":[{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]})"),
                                {})
                                .value();
    check_probes(
            filter,
            {
                    {"getppid", [] { return ::syscall(SYS_getppid); }, 77},
                    {"lseek far", [] { return ::syscall(SYS_lseek, -1, 4294967301, 0); }, 78},
                    {"lseek farther", [] { return ::syscall(SYS_lseek, -1, 1L << 40, 0); }, 78},
                    {"lseek near", [] { return ::syscall(SYS_lseek, -1, 4294967300, 0); }, EBADF},
                    {"socket", [] { return ::syscall(SYS_socket, 2, SOCK_STREAM, 0); }, 79},
                    {"socket UNIX", [] { return ::syscall(SYS_socket, 1, SOCK_STREAM, 0); }, 0},
            });
    const auto kill =
            security::compile_profile(
                    profile(R"({"names":["getppid"],"action":"SCMP_ACT_KILL_PROCESS"})"), {})
                    .value();
    CHECK(under(kill, [](int) { return static_cast<int>(::syscall(SYS_getppid)); }).signal ==
          SIGSYS);
}

TEST_CASE("a filter near the kernel's limit of instructions loads", "[root]") {
    NEEDS(root);
    std::string rules;
    for (const auto* name : {"lseek", "brk", "mremap"}) {
        for (int i = 0; i < 260; ++i) {
            rules += std::string(R"({"name":")") + name +
                     R"(","action":"SCMP_ACT_ERRNO","errnoRet":44,"args":[{"index":0,"value":)" +
                     std::to_string(1000 + i) + R"(,"op":"SCMP_CMP_EQ"}]},)";
        }
    }
    rules.pop_back();
    const auto filter = security::compile_profile(profile(rules), {}).value();
    CHECK(filter.program.size() / sizeof(sock_filter) > 3000);
    check_probes(
            filter,
            {
                    {"lseek", [] { return ::syscall(SYS_lseek, 1259, 0, 0); }, 44},
                    {"lseek elsewhere", [] { return ::syscall(SYS_lseek, -1, 0, 0); }, EBADF},
            });
}
