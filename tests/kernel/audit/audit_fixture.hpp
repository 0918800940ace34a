// What the tests of the audit share: an engine of its own, and findings as lines. Used by
// tests/kernel/audit only.
#pragma once

#include "tests/kernel/engine/engine_fixture.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace test {

// "CAP-01/sets: fail: observed" of every check that is a finding; errors too.
inline std::vector<std::string> findings_of(const garden::api::AuditSubject& subject) {
    std::vector<std::string> lines;
    for (const auto& check : subject.checks) {
        if (!garden::api::is_finding(check)) continue;
        lines.push_back(
                check.rule + "/" + check.check + ": " +
                std::string(garden::api::to_string(check.result)) + ": " + check.observed);
    }
    return lines;
}

inline std::vector<std::string> findings_of(EngineFixture& fixture, const garden::Handle& handle) {
    return findings_of(fixture.engine().audit(handle).value().subject);
}

// Among the findings is the one with this id.
inline bool found(const std::vector<std::string>& findings, const std::string& id) {
    for (const auto& line : findings)
        if (line.starts_with(id + ":")) return true;
    return false;
}

// A process of the container that stays, as the host knows it.
inline std::int32_t sleeper(EngineFixture& fixture, const garden::Handle& handle) {
    const auto run = fixture.engine().run(handle, EngineFixture::process({"sleep", "600"}));
    REQUIRE(run);
    const auto rows = fixture.engine().processes(handle).value();
    for (const auto& row : rows)
        if (row.id == run->process_id) return row.host_pid;
    FAIL("no such process");
    return 0;
}

// Runs `work` in those namespaces of `pid`; true when it said so.
inline bool inside(std::int32_t pid, int namespaces, const std::function<bool()>& work) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
        ::_exit(process >= 0 && ::setns(process, namespaces) == 0 && work() ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

inline bool write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
}

// The directory of the container's group in a v1 hierarchy; "" when this host has none.
inline std::string group_of(std::int32_t pid, const std::string& controller) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
    for (std::string line; std::getline(file, line);) {
        const auto key = ":" + controller + ":";
        const auto at = line.find(key);
        if (at != std::string::npos)
            return "/sys/fs/cgroup/" + controller + line.substr(at + key.size());
    }
    return "";
}

}  // namespace test
