// Files of the kernel and of the engine that a container has no business with. Opened, never
// written.
#include "tests/e2e/escapes/attempts.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace escapes {

namespace {

std::string opened(const char* path, int flags) {
    const int fd = ::open(path, flags | O_CLOEXEC);
    std::string words = outcome(fd);
    if (fd >= 0) (void)::close(fd);
    return words;
}

// A mask reads as nothing, or cannot be read.
std::string content(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno_name(errno);
    char byte = 0;
    const auto got = ::read(fd, &byte, 1);
    (void)::close(fd);
    return got == 0 ? "empty" : got < 0 ? errno_name(errno) : "content";
}

// Every descriptor but 0 to 2, the pipe this program answers through, and the directory being read.
std::string leaked_descriptors() {
    DIR* directory = ::opendir("/proc/self/fd");
    if (directory == nullptr) return errno_name(errno);
    std::string found;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string path = std::string("/proc/self/fd/") + entry->d_name;
        char target[256] = {};
        const auto length = ::readlink(path.c_str(), target, sizeof target - 1);
        const std::string where(target, length > 0 ? static_cast<std::size_t>(length) : 0);
        if (where.empty() || where.starts_with("pipe:") || where.ends_with("/fd")) continue;
        found += where + ";";
    }
    (void)::closedir(directory);
    return found.empty() ? "none" : found;
}

std::string abstract_sockets() {
    std::ifstream table("/proc/net/unix");
    std::string found;
    for (std::string line; std::getline(table, line);) {
        const auto at = line.find('@');
        if (at != std::string::npos) found += line.substr(at) + ";";
    }
    return found.empty() ? "none" : found;
}

std::string ipv6_addresses() {
    std::ifstream table("/proc/net/if_inet6");
    std::string found;
    for (std::string line; std::getline(table, line);) {
        std::istringstream words(line);
        for (std::string word; words >> word;) found = word;
    }
    return found.empty() ? "none" : found;
}

// CVE-2019-5736: whoever can write the file that init runs from owns whoever runs it next.
std::string own_engine() {
    const std::string written = opened("/proc/1/exe", O_WRONLY);
    return written == "done" ? "done" : "refused";
}

std::string root_of_init() {
    struct ::stat mine {};

    struct ::stat its {};

    if (::stat("/", &mine) != 0 || ::stat("/proc/1/root/", &its) != 0) return errno_name(errno);
    return mine.st_ino == its.st_ino && mine.st_dev == its.st_dev ? "same" : "other";
}

std::string inheritable() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("CapInh:")) return line.substr(line.find_last_of("\t ") + 1);
    }
    return "unknown";
}

std::string lower_oom_score() {
    const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno_name(errno);
    std::string words = outcome(::write(fd, "-1000", 5));
    (void)::close(fd);
    return words;
}

const Attempt kAttempts[] = {
        {"core_pattern", [] { return opened("/proc/sys/kernel/core_pattern", O_WRONLY); }},
        {"modprobe-path", [] { return opened("/proc/sys/kernel/modprobe", O_WRONLY); }},
        {"panic-switch", [] { return opened("/proc/sys/vm/panic_on_oom", O_WRONLY); }},
        {"sysrq-trigger", [] { return opened("/proc/sysrq-trigger", O_WRONLY); }},
        {"uevent_helper", [] { return opened("/sys/kernel/uevent_helper", O_WRONLY); }},
        {"binfmt_misc", [] { return opened("/proc/sys/fs/binfmt_misc/register", O_WRONLY); }},
        {"make-sys", [] { return outcome(::mkdir("/sys/fs/cgroup/escape", 0700)); }},
        {"agent-v1", [] { return opened("/sys/fs/cgroup/pids/release_agent", O_WRONLY); }},
        {"kcore", [] { return content("/proc/kcore"); }},
        {"keys", [] { return content("/proc/keys"); }},
        {"timer_list", [] { return content("/proc/timer_list"); }},
        {"kallsyms", [] { return content("/proc/kallsyms"); }},
        {"host-memory", [] { return opened("/dev/mem", O_RDONLY); }},
        {"kernel-log", [] { return opened("/dev/kmsg", O_RDONLY); }},
        {"leaked-descriptors", leaked_descriptors},
        {"abstract-sockets", abstract_sockets},
        {"ipv6", ipv6_addresses},
        {"engine-program", own_engine},
        {"root-of-init", root_of_init},
        {"inheritable", inheritable},
        {"oom_score_adj", lower_oom_score},
};

}  // namespace

std::span<const Attempt> attempts_by_files() {
    return kAttempts;
}

}  // namespace escapes
