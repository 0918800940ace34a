#include "rootfs/unpack/confine.hpp"

#include "base/fail.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace rootfs {

using base::FdRef;
using base::Result;

namespace {

// IMG-20: what keeping owners, modes, whiteouts and file capabilities takes, inside the user
// namespace only.
constexpr std::array kCapabilities{CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,
                                   CAP_FSETID, CAP_MKNOD,        CAP_SETFCAP};

constexpr std::array kCalls{
        __NR_read,          __NR_write,        __NR_pread64,        __NR_pwrite64,
        __NR_lseek,         __NR_close,        __NR_fcntl,          __NR_dup3,
        __NR_openat,        __NR_openat2,      __NR_newfstatat,     __NR_fstat,
        __NR_statx,         __NR_getdents64,   __NR_readlinkat,     __NR_mkdirat,
        __NR_mknodat,       __NR_symlinkat,    __NR_linkat,         __NR_unlinkat,
        __NR_renameat2,     __NR_ftruncate,    __NR_fchown,         __NR_fchownat,
        __NR_fchmod,        __NR_fchmodat,     __NR_utimensat,      __NR_fsetxattr,
        __NR_mmap,          __NR_munmap,       __NR_mremap,         __NR_mprotect,
        __NR_madvise,       __NR_brk,          __NR_futex,          __NR_exit,
        __NR_exit_group,    __NR_rt_sigreturn, __NR_rt_sigprocmask, __NR_rt_sigaction,
        __NR_sigaltstack,   __NR_getpid,       __NR_gettid,         __NR_tgkill,
        __NR_clock_gettime, __NR_getrandom,    __NR_sched_yield,    __NR_restart_syscall,
};

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "rootfs-unpack: no system-call filter for this architecture"
#endif

Result<void> limit(decltype(RLIMIT_CPU) what, std::uint64_t value, const char* name) {
    rlimit current = {};
    if (::getrlimit(what, &current) != 0) return base::fail_errno("read limit {}", name);
    // Only downwards: the daemon itself may have been given less.
    const rlim_t wanted =
            current.rlim_max == RLIM_INFINITY ? value : std::min<rlim_t>(value, current.rlim_max);
    const rlimit next{.rlim_cur = wanted, .rlim_max = wanted};
    if (::setrlimit(what, &next) != 0) return base::fail_errno("set limit {}", name);
    return base::ok;
}

Result<void> set_limits(const SandboxLimits& limits) {
    TRY(limit(RLIMIT_CPU, limits.cpu_seconds, "cpu"));
    TRY(limit(RLIMIT_FSIZE, limits.file_bytes, "fsize"));
    TRY(limit(RLIMIT_NOFILE, 256, "nofile"));
    TRY(limit(RLIMIT_CORE, 0, "core"));
    TRY(limit(RLIMIT_MEMLOCK, 0, "memlock"));
#if !defined(__SANITIZE_ADDRESS__)  // whose shadow memory alone is larger
    TRY(limit(RLIMIT_AS, limits.memory_bytes, "as"));
#endif
    return base::ok;
}

Result<void> drop_capabilities() {
    std::uint64_t keep = 0;
    for (const int capability : kCapabilities) keep |= std::uint64_t{1} << capability;
    for (int capability = 0; capability < 64; ++capability) {
        if ((keep >> capability & 1) != 0) continue;
        if (::prctl(PR_CAPBSET_READ, capability) < 0) break;  // beyond the last one of this kernel
        if (::prctl(PR_CAPBSET_DROP, capability) != 0)
            return base::fail_errno("drop capability {}", capability);
    }
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> sets{};
    for (std::size_t i = 0; i < sets.size(); ++i) {
        sets[i].permitted = sets[i].effective = static_cast<std::uint32_t>(keep >> (32 * i));
    }
    if (::syscall(SYS_capset, &header, sets.data()) != 0)
        return base::fail_errno("set capabilities");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::fail_errno("set no_new_privs");
    return base::ok;
}

// A second fence around the same directory; kernels without Landlock still have the first one (the
// root).
Result<void> fence(FdRef root) {
    constexpr std::uint64_t kAllOfAbi1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    constexpr std::uint64_t kRefer = std::uint64_t{1} << 13;     // ABI 2
    constexpr std::uint64_t kTruncate = std::uint64_t{1} << 14;  // ABI 3
    constexpr std::uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE;
    constexpr std::uint64_t kMakeBlock = LANDLOCK_ACCESS_FS_MAKE_BLOCK;
    const long abi =
            ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 0) return base::ok;
    std::uint64_t handled = kAllOfAbi1;
    if (abi >= 2) handled |= kRefer;
    if (abi >= 3) handled |= kTruncate;
    landlock_ruleset_attr rules = {};
    rules.handled_access_fs = handled;
    const base::Fd set(
            static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0)));
    if (!set) return base::fail_errno("make a Landlock set");
    landlock_path_beneath_attr below = {};
    below.allowed_access = handled & ~(kExecute | kMakeBlock);
    below.parent_fd = root.get();
    if (::syscall(SYS_landlock_add_rule, set.get(), LANDLOCK_RULE_PATH_BENEATH, &below, 0) != 0) {
        return base::fail_errno("add a Landlock rule");
    }
    if (::syscall(SYS_landlock_restrict_self, set.get(), 0) != 0)
        return base::fail_errno("enter Landlock");
    return base::ok;
}

sock_filter statement(unsigned code, std::uint32_t value) {
    return {.code = static_cast<std::uint16_t>(code), .jt = 0, .jf = 0, .k = value};
}

sock_filter jump(unsigned code, std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
    return {.code = static_cast<std::uint16_t>(code), .jt = yes, .jf = no, .k = value};
}

Result<void> filter_calls() {
    std::vector<sock_filter> program;
    program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
    program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
    program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    // x32 calls have a bit that none of these numbers has, so they end at the last line.
    for (const int call : kCalls) {
        program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
        program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    }
    program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    const sock_fprog loaded{
            .len = static_cast<unsigned short>(program.size()), .filter = program.data()};
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &loaded, 0, 0) != 0)
        return base::fail_errno("load the system-call filter");
    return base::ok;
}

}  // namespace

Result<void> confine(FdRef root, const SandboxLimits& limits) {
    TRY(set_limits(limits));
    TRY(drop_capabilities());
    TRY(fence(root));
    return filter_calls();
}

}  // namespace rootfs
