// What can be seen from inside: files, descriptors, device nodes, processes, attributes.
#include "garden/audit/probe/format.hpp"
#include "garden/audit/probe/probe.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <climits>

extern char** environ;

namespace garden::audit::probe {

namespace {

// A descriptor for the length of a scope.
class Open {
  public:
    Open(const std::string& path, int flags)
        : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)), error_(errno) {}

    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;

    ~Open() {
        if (fd_ >= 0) (void)::close(fd_);
    }

    int get() const { return fd_; }

    int error() const { return fd_ >= 0 ? 0 : error_; }

  private:
    int fd_;
    int error_;
};

template <class Each>
void each_entry(const std::string& path, Each each) {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") each(name, ::dirfd(directory));
    }
    (void)::closedir(directory);
}

std::string kind_of(const struct stat& info) {
    if (S_ISDIR(info.st_mode)) return "directory";
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
        return std::string(S_ISCHR(info.st_mode) ? "c " : "b ") +
               std::to_string(major(info.st_rdev)) + ":" + std::to_string(minor(info.st_rdev));
    }
    return "file";
}

void tell_descriptors(Answers& answers) {
    each_entry("/proc/self/fd", [&](const std::string& name, int own) {
        if (name == std::to_string(own)) return;
        std::array<char, PATH_MAX> target{};
        const auto size =
                ::readlink(("/proc/self/fd/" + name).c_str(), target.data(), target.size());
        answers.add(
                "fd", name, size < 0 ? errno : 0,
                size < 0 ? std::string_view()
                         : std::string_view(target.data(), static_cast<std::size_t>(size)));
    });
}

void tell_nodes(Answers& answers, const std::string& directory, std::size_t& left, int depth) {
    each_entry(directory, [&](const std::string& name, int) {
        if (left == 0) return;
        --left;
        const std::string path = directory + "/" + name;
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0) return;
        if (S_ISDIR(info.st_mode) && depth > 0) return tell_nodes(answers, path, left, depth - 1);
        if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))
            answers.add("node", path, 0, kind_of(info));
    });
}

void tell_number(Answers& answers, const char* name, long value) {
    answers.add("self", name, value < 0 ? errno : 0, std::to_string(value));
}

}  // namespace

void try_read(Answers& answers, const std::string& path) {
    const Open file(path, O_RDONLY);
    if (file.get() < 0) return answers.add("read", path, file.error(), "");

    struct stat info {};

    if (::fstat(file.get(), &info) != 0) return answers.add("read", path, errno, "");
    std::string detail = kind_of(info);
    if (S_ISDIR(info.st_mode)) {
        std::size_t entries = 0;
        each_entry(path, [&](const std::string&, int) { ++entries; });
        return answers.add("read", path, 0, detail + " " + std::to_string(entries));
    }
    // One byte says whether there is anything; a block device is not touched at all.
    char byte = 0;
    const auto size = S_ISBLK(info.st_mode) ? 0 : ::read(file.get(), &byte, 1);
    answers.add(
            "read", path, 0,
            detail + (size < 0 ? " unreadable " + std::to_string(errno)
                               : " " + std::to_string(size)));
}

void try_write(Answers& answers, const std::string& path) {
    const Open file(path, O_WRONLY);
    answers.add("write", path, file.error(), "");
}

void tell_text(Answers& answers, const std::string& path) {
    const Open file(path, O_RDONLY);
    if (file.get() < 0) return answers.add("text", path, file.error(), "");
    std::string text;
    std::array<char, 8192> buffer{};
    while (text.size() < kMaxText) {
        const auto size = ::read(file.get(), buffer.data(), buffer.size());
        if (size < 0) return answers.add("text", path, errno, "");
        if (size == 0) break;
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    answers.add("text", path, 0, text);
}

void tell_self(Answers& answers) {
    tell_descriptors(answers);
    std::size_t nodes = kMaxNodes;
    tell_nodes(answers, "/dev", nodes, 2);
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        answers.add(
                "env", text.substr(0, text.find('=')), 0, "");  // names only: values are secrets
    }
    each_entry("/proc", [&](const std::string& name, int) {
        if (name.find_first_not_of("0123456789") == std::string::npos)
            answers.add("pid", name, 0, "");
    });
    each_entry("/sys/class/net", [&](const std::string& name, int) {
        answers.add("link", name, 0, "");
    });
    std::array<char, PATH_MAX> cwd{};
    const bool known = ::getcwd(cwd.data(), cwd.size()) != nullptr;
    answers.add("self", "cwd", known ? 0 : errno, cwd.data());
    tell_number(answers, "securebits", ::prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
    tell_number(answers, "personality", ::personality(0xffffffff));
    tell_number(answers, "scheduler", ::sched_getscheduler(0));
    const mode_t mask = ::umask(022);
    (void)::umask(mask);
    tell_number(answers, "umask", static_cast<long>(mask));
    rusage usage{};
    (void)::getrusage(RUSAGE_SELF, &usage);
    tell_number(answers, "rss_kib", usage.ru_maxrss);  // OBS-03: what looking itself has cost
}

}  // namespace garden::audit::probe
