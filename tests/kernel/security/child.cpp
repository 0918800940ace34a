#include "tests/kernel/security/child.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace test {

namespace {

Ended collect(pid_t pid, int from) {
    Ended ended;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(from, buffer, sizeof buffer)) > 0;)
        ended.output.append(buffer, static_cast<std::size_t>(n));
    ::close(from);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
    return ended;
}

bool refused(int error) {
    return error == EPERM || error == ENOSYS || error == EAFNOSUPPORT;
}

}  // namespace

Ended in_child(const std::function<int(int out)>& body) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        ::close(ends[0]);
        ::_exit(body(ends[1]));
    }
    ::close(ends[1]);
    return collect(pid, ends[0]);
}

Ended in_user_namespace(const std::function<int(int out)>& body) {
    int ready[2];
    int mapped[2];
    int ends[2];
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(mapped, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    char byte = 0;
    if (pid == 0) {
        ::close(ends[0]);
        if (::unshare(CLONE_NEWUSER) != 0) ::_exit(101);
        if (::write(ready[1], "x", 1) != 1 || ::read(mapped[0], &byte, 1) != 1) ::_exit(102);
        ::_exit(body(ends[1]));
    }
    ::close(ends[1]);
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    write_file("/proc/" + std::to_string(pid) + "/uid_map", "0 268435456 65536");
    write_file("/proc/" + std::to_string(pid) + "/gid_map", "0 268435456 65536");
    REQUIRE(::write(mapped[1], "x", 1) == 1);
    for (const int fd : {ready[0], ready[1], mapped[0], mapped[1]}) ::close(fd);
    return collect(pid, ends[0]);
}

int run_probes(const std::vector<Probe>& probes, int out) {
    int wrong = 0;
    for (const auto& probe : probes) {
        errno = 0;
        const long value = probe.call();
        const int error = value == -1 ? errno : 0;
        if (probe.expected == 0 ? !refused(error) : error == probe.expected) continue;
        ++wrong;
        const std::string line = std::string(probe.name) + ": errno " + std::to_string(error) +
                                 ", expected " + std::to_string(probe.expected) + "\n";
        if (::write(out, line.data(), line.size()) < 0) return 100;
    }
    return wrong;
}

std::string temporary_directory(const std::string& where) {
    std::string path = where + "/cloche-security-XXXXXX";
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    return path;
}

void write_file(const std::string& path, const std::string& text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    INFO(path);
    REQUIRE(fd >= 0);
    CHECK(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(fd);
}

}  // namespace test
