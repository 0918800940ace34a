// A driver with a parent of this test's own, and children that enter a group. Used by the cgroup
// kernel tests.
#pragma once

#include "garden/cgroup/cgroup.hpp"
#include "tests/support/needs.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace test {

namespace cg = garden::cgroup;

class Field {  // a parent group, removed with whatever is left in it
  public:
    Field() {
        static int number = 0;
        name = "cloche-test-" + std::to_string(::getpid()) + "-" + std::to_string(number++);
        auto probed = cg::Driver::probe(name);
        if (!probed) FAIL(probed.error().text);
        driver = std::move(*probed);
    }

    Field(const Field&) = delete;
    Field& operator=(const Field&) = delete;

    ~Field() {
        auto names = driver->list();
        for (const auto& group : names ? *names : std::vector<std::string>{}) {
            auto opened = driver->open(group);
            if (!opened) continue;
            (void)(*opened)->kill();
            (void)(*opened)->remove();
        }
        const auto removed = driver->remove_parent();
        CHECK(removed.has_value());
    }

    std::unique_ptr<cg::Group> group(const std::string& of = "one") {
        auto made = driver->create(of);
        if (!made) FAIL(made.error().text);
        return std::move(*made);
    }

    std::string name;
    std::unique_ptr<cg::Driver> driver;
};

// Forks a child that enters `group` and then runs `body`, whose value is its exit code; 99 when it
// could not enter.
template <class Body>
pid_t enter(cg::Group& group, Body body) {
    auto entrances = group.entrances();
    if (!entrances) FAIL(entrances.error().text);
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        (void)::signal(SIGTERM, SIG_DFL);
        for (const auto& entrance : *entrances) {
            if (::write(entrance.get(), "0", 1) != 1) ::_exit(99);
        }
        ::_exit(body());
    }
    return pid;
}

inline int status_of(pid_t pid) {
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    return status;
}

// Waits for the condition, at most five seconds.
template <class Condition>
bool soon(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < end) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return condition();
}

inline int touch_memory(std::size_t bytes) {
    auto* memory = static_cast<volatile char*>(
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory == MAP_FAILED) return 1;
    for (std::size_t i = 0; i < bytes; i += 4096) memory[i] = 1;
    return 0;
}

}  // namespace test
