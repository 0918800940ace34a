// What a container could take so much of that the host has none (ID-07, ID-08, section 15).
#include "tests/e2e/escapes/attempts.hpp"

#include <sched.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace escapes {

namespace {

constexpr int kManyInstances = 4096;
constexpr int kManyProcesses = 4096;

std::string inotify_instances() {
    for (int number = 0; number < kManyInstances; ++number) {
        if (::inotify_init1(IN_CLOEXEC) < 0) return errno_name(errno);
    }
    return "done";
}

// Children wait for the pipe's end, which is the end of this process.
std::string processes() {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) return errno_name(errno);
    for (int number = 0; number < kManyProcesses; ++number) {
        const pid_t child = ::fork();
        if (child < 0) return errno_name(errno);
        if (child == 0) {
            (void)::close(ends[1]);
            char byte = 0;
            const auto ended = ::read(ends[0], &byte, 1);
            ::_exit(static_cast<int>(ended));
        }
    }
    return "done";
}

std::string locked_memory() {
    constexpr std::size_t kMany = std::size_t{256} << 20U;
    void* memory = ::mmap(nullptr, kMany, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return errno_name(errno);
    return outcome(::mlock(memory, kMany));
}

std::string realtime() {
    sched_param parameter{};
    parameter.sched_priority = 1;
    return outcome(::sched_setscheduler(0, SCHED_FIFO, &parameter));
}

std::string niceness() {
    return outcome(::setpriority(PRIO_PROCESS, 0, -10));
}

std::string core_size() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_CORE, &limit) != 0) return errno_name(errno);
    return limit.rlim_cur == 0 ? "none" : "some";
}

const Attempt kAttempts[] = {
        {"inotify", inotify_instances}, {"fork-bomb", processes}, {"mlock", locked_memory},
        {"realtime", realtime},         {"nice", niceness},       {"core-dumps", core_size},
};

}  // namespace

void hold_inotify() {
    (void)inotify_instances();
    constexpr std::string_view kWords = "holding\n";
    const auto ignored = ::write(STDOUT_FILENO, kWords.data(), kWords.size());
    while (ignored > 0) (void)::pause();
    ::_exit(1);
}

std::span<const Attempt> attempts_by_resources() {
    return kAttempts;
}

}  // namespace escapes
