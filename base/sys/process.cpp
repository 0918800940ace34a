#include "base/sys/process.hpp"

#include "base/defer.hpp"
#include "base/sys/error.hpp"
#include "base/sys/pidfd.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace base::sys {

Result<Spawned> spawn_detached(
        FdRef program, std::span<const std::string> argv, std::span<const FdRef> fds) {
    // Copies above every target number: dup2 in the child must not overwrite a source that comes
    // later.
    constexpr int kAbove = 64;
    std::vector<Fd> sources;
    for (const auto fd : fds) {
        sources.emplace_back(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kAbove));
        if (!sources.back()) return errno_error("duplicate a descriptor");
    }
    const Fd own_program(::fcntl(program.get(), F_DUPFD_CLOEXEC, kAbove));
    if (!own_program) return errno_error("duplicate a descriptor");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const Defer free_actions([&] { ::posix_spawn_file_actions_destroy(&actions); });
    for (int i = 0; i < 3; ++i)
        ::posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
    int next = 3;
    for (const auto& source : sources)
        ::posix_spawn_file_actions_adddup2(&actions, source.get(), next++);
    const std::string path =
            "/proc/self/fd/" + std::to_string(next);  // of the child: its own numbers
    ::posix_spawn_file_actions_adddup2(&actions, own_program.get(), next++);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, next);

    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    const Defer free_attributes([&] { ::posix_spawnattr_destroy(&attributes); });
    ::posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t set;
    ::sigemptyset(&set);
    ::posix_spawnattr_setsigmask(&attributes, &set);
    ::sigfillset(&set);
    ::posix_spawnattr_setsigdefault(&attributes, &set);

    std::vector<char*> arguments;
    for (const auto& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    char* environment[] = {nullptr};
    Spawned out;
    const int error = ::posix_spawn(
            &out.pid, path.c_str(), &actions, &attributes, arguments.data(), environment);
    if (error != 0) return errno_error("start " + (argv.empty() ? path : argv.front()), error);
    out.pidfd = TRY(open_process(out.pid));  // our unreaped child: the number cannot be reused
    return out;
}

Result<std::optional<std::int32_t>> reap(FdRef pidfd) {
    siginfo_t info = {};
    int result = 0;
    do {
        result = ::waitid(
                static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd.get()), &info,
                WEXITED | WNOHANG);
    } while (result != 0 && errno == EINTR);
    if (result != 0) return errno_error("wait for a process");
    if (info.si_pid == 0) return std::optional<std::int32_t>{};
    return std::optional<std::int32_t>(
            info.si_code == CLD_EXITED ? info.si_status & 0xff : 128 + info.si_status);
}

}  // namespace base::sys
