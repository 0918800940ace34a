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

namespace {

// Copies above every target number: dup2 in the child must not overwrite a source that comes later.
Result<Fd> copy_above_targets(FdRef fd) {
    constexpr int kAbove = 64;
    Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kAbove));
    if (!copy) return errno_error("duplicate a descriptor");
    return copy;
}

class FileActions {
  public:
    FileActions() { ::posix_spawn_file_actions_init(&actions_); }

    ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }

    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;

    posix_spawn_file_actions_t* get() { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_{};
};

std::vector<char*> pointers(std::span<const std::string> words) {
    std::vector<char*> out;
    for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
    out.push_back(nullptr);
    return out;
}

// In a session of its own, signals at their defaults, none blocked.
Result<Spawned> spawn(
        const std::string& path,
        FileActions& actions,
        std::span<const std::string> argv,
        std::span<const std::string> environment) {
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
    Spawned out;
    const int error = ::posix_spawn(
            &out.pid, path.c_str(), actions.get(), &attributes, pointers(argv).data(),
            pointers(environment).data());
    if (error != 0) return errno_error("start " + (argv.empty() ? path : argv.front()), error);
    out.pidfd = TRY(open_process(out.pid));  // our unreaped child: the number cannot be reused
    return out;
}

}  // namespace

Result<Spawned> spawn_detached(
        FdRef program, std::span<const std::string> argv, std::span<const FdRef> fds) {
    std::vector<Fd> sources;
    for (const auto fd : fds) sources.push_back(TRY(copy_above_targets(fd)));
    const Fd own_program = TRY(copy_above_targets(program));
    FileActions actions;
    for (int i = 0; i < 3; ++i)
        ::posix_spawn_file_actions_addopen(actions.get(), i, "/dev/null", O_RDWR, 0);
    int next = 3;
    for (const auto& source : sources)
        ::posix_spawn_file_actions_adddup2(actions.get(), source.get(), next++);
    const std::string path =
            "/proc/self/fd/" + std::to_string(next);  // of the child: its own numbers
    ::posix_spawn_file_actions_adddup2(actions.get(), own_program.get(), next++);
    ::posix_spawn_file_actions_addclosefrom_np(actions.get(), next);
    return spawn(path, actions, argv, {});
}

Result<Spawned> spawn_program(
        const std::string& path,
        std::span<const std::string> argv,
        std::span<const std::string> environment,
        const std::array<FdRef, 3>& standard) {
    std::vector<Fd> sources;
    for (const auto fd : standard) sources.push_back(TRY(copy_above_targets(fd)));
    FileActions actions;
    int next = 0;
    for (const auto& source : sources)
        ::posix_spawn_file_actions_adddup2(actions.get(), source.get(), next++);
    ::posix_spawn_file_actions_addclosefrom_np(actions.get(), next);
    return spawn(path, actions, argv, environment);
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
