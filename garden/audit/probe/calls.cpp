// What is refused from inside. Every call is made so that it cannot succeed: the answer tells who
// refused it. EPERM is the filter's (or the kernel's) refusal; EFAULT, EINVAL, EBADF mean that the
// call was reached.
#include "garden/audit/probe/probe.hpp"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include <setjmp.h>

namespace garden::audit::probe {

namespace {

int error_of(long result) {
    return result < 0 ? errno : 0;
}

void try_sockets(Answers& answers) {
    // UNIX is allowed; ALG and VSOCK are refused as scanners expect; KCM stands for every other.
    constexpr std::array<std::pair<const char*, int>, 5> kFamilies = {
            {{"unix", 1}, {"alg", 38}, {"vsock", 40}, {"kcm", 41}, {"bluetooth", 31}}};
    for (const auto& [name, family] : kFamilies) {
        const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        answers.add("call", std::string("socket ") + name, fd < 0 ? errno : 0, "");
        if (fd >= 0) (void)::close(fd);
    }
}

void try_clone(Answers& answers) {
    constexpr std::array<std::pair<const char*, unsigned long>, 7> kFlags = {
            {{"newns", 0x00020000},
             {"newcgroup", 0x02000000},
             {"newuts", 0x04000000},
             {"newipc", 0x08000000},
             {"newuser", 0x10000000},
             {"newpid", 0x20000000},
             {"newnet", 0x40000000}}};
    // A thread without shared signal handlers is EINVAL wherever the filter lets it through.
    constexpr unsigned long kImpossible = 0x00010000;  // CLONE_THREAD
    for (const auto& [name, flag] : kFlags) {
        const long done = ::syscall(SYS_clone, flag | kImpossible, 0, 0, 0, 0);
        answers.add("call", std::string("clone ") + name, error_of(done), "");
    }
}

void try_terminal(Answers& answers) {
    constexpr std::array<std::pair<const char*, unsigned long>, 4> kCommands = {
            {{"tiocsti", 0x5412},
             {"tioclinux", 0x541C},
             // SC-06: the kernel reads the low half only, and so must the filter.
             {"tiocsti with high bits", 0x100005412},
             {"tioclinux with high bits", 0x10000541C}}};
    for (const auto& [name, command] : kCommands) {
        const long done = ::syscall(SYS_ioctl, 0, command, 0);  // standard input is no terminal
        answers.add("call", std::string("ioctl ") + name, error_of(done), "");
    }
}

#if defined(__x86_64__)

sigjmp_buf no_such_entry;  // NOLINT: a signal handler reaches nothing else

void leave_entry(int) {
    siglongjmp(no_such_entry, 1);
}

// getpid by the 32-bit entry; a kernel without it faults.
void try_compat(Answers& answers) {
    struct sigaction action {};

    struct sigaction before {};

    action.sa_handler = leave_entry;
    (void)::sigaction(SIGSEGV, &action, &before);
    long result = -ENOSYS;
    if (sigsetjmp(no_such_entry, 1) == 0) {
        constexpr long kGetpid32 = 20;
        asm volatile("int $0x80"
                     : "=a"(result)
                     : "a"(kGetpid32)
                     : "memory", "r8", "r9", "r10", "r11");
        result = static_cast<int>(result);
    }
    (void)::sigaction(SIGSEGV, &before, nullptr);
    answers.add("call", "foreign i386", result < 0 ? static_cast<int>(-result) : 0, "");
}

void try_foreign(Answers& answers) {
    constexpr long kX32 = 0x40000000;
    const long done = ::syscall(kX32 | SYS_getpid);
    answers.add("call", "foreign x32", error_of(done), "");
    try_compat(answers);
}

#else

void try_foreign(Answers&) {}

#endif

}  // namespace

void try_call(Answers& answers, long number, std::string_view name) {
    const long done = ::syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
    answers.add("call", name, error_of(done), "");
}

void try_tree(Answers& answers, const std::string& path) {
    constexpr long kOpenTree = 428;
    constexpr unsigned kClone = 1;  // OPEN_TREE_CLONE; gone again with its descriptor
    const long tree = ::syscall(kOpenTree, -100, path.c_str(), kClone);  // AT_FDCWD
    answers.add("call", "tree " + path, error_of(tree), "");
    if (tree >= 0) (void)::close(static_cast<int>(tree));
}

void try_node(Answers& answers) {
    const std::string path = "/dev/shm/.garden-probe." + std::to_string(::getpid());
    const long done =
            ::syscall(SYS_mknodat, -100, path.c_str(), S_IFBLK | 0600, makedev(7, 0));  // AT_FDCWD
    const int error = error_of(done);
    if (done == 0) (void)::unlink(path.c_str());
    answers.add("call", "mknod", error, "");
}

void try_conditions(Answers& answers) {
    try_sockets(answers);
    try_clone(answers);
    try_terminal(answers);
    const int before = ::personality(0xffffffff);
    const long done =
            ::syscall(SYS_personality, 0x0400000UL);  // READ_IMPLIES_EXEC: not on the list
    answers.add("call", "personality", error_of(done), "");
    if (done >= 0) (void)::syscall(SYS_personality, static_cast<unsigned long>(before));
    try_foreign(answers);
}

}  // namespace garden::audit::probe
