// Figures, not promises: hidden from ctest, run by hand with a release build.
#include "base/sys/file.hpp"
#include "tests/kernel/launch/fixture.hpp"
#include "tests/support/needs.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <sstream>

using test::Box;
using Clock = std::chrono::steady_clock;

namespace {

double microseconds(Clock::duration time) {
    return std::chrono::duration<double, std::micro>(time).count();
}

void print(const char* what, std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    std::cout << what << ": median " << samples[samples.size() / 2] << " us, p99 "
              << samples[samples.size() * 99 / 100] << " us\n";
}

}  // namespace

TEST_CASE("figures of create, run and destroy", "[.bench]") {
    NEEDS(root, userns);
    std::vector<double> prepare, create, destroy;
    for (int i = 0; i < 60; ++i) {
        Box box;
        const auto t0 = Clock::now();
        REQUIRE(box.prepare());
        const auto t1 = Clock::now();
        auto plan = box.plan();
        const auto t2 = Clock::now();
        REQUIRE(box.create(std::move(plan)));
        const auto t3 = Clock::now();
        REQUIRE(box.shim->destroy(std::chrono::seconds(5)));
        const auto t4 = Clock::now();
        prepare.push_back(microseconds(t1 - t0));
        create.push_back(microseconds(t3 - t2));
        destroy.push_back(microseconds(t4 - t3));
    }
    print("spawn + prepare", prepare);
    print("create (prepared)", create);
    print("destroy", destroy);
    Box box;
    box.must_create();
    std::vector<double> run, wait;
    for (int i = 0; i < 500; ++i) {
        const std::string id = "r" + std::to_string(i);
        const auto plan = box.process(id, {"/bin/true"});
        const auto t0 = Clock::now();
        auto started = box.shim->run(plan, {});
        const auto t1 = Clock::now();
        REQUIRE(started);
        REQUIRE(box.heard->exit_of(id) == 0);
        wait.push_back(microseconds(Clock::now() - t0));
        run.push_back(microseconds(t1 - t0));
        REQUIRE(box.shim->forget(id));
    }
    print("run", run);
    print("run + wait", wait);
    const auto status =
            base::sys::read_host_file("/proc/" + std::to_string(box.prepared.init_pid) + "/status");
    REQUIRE(status);
    for (const auto& pid :
         {status->substr(
                  status->find("PPid:") + 6,
                  status->find('\n', status->find("PPid:")) - status->find("PPid:") - 6),
          std::to_string(box.prepared.init_pid)}) {
        const auto memory = base::sys::read_host_file("/proc/" + pid + "/smaps_rollup");
        REQUIRE(memory);
        std::cout << "memory of " << pid << ":\n" << *memory;
    }
}

TEST_CASE("figures of output throughput", "[.bench]") {
    NEEDS(root, userns);
    Box box;
    box.must_create();
    auto started = box.shim->run(
            box.process(
                    "flow", {"/bin/sh", "-c", "exec dd if=/dev/zero bs=1M count=4096 2>/dev/null"}),
            {});
    REQUIRE(started);
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    base::Fd mine(ends[0]);
    base::Fd theirs(ends[1]);
    REQUIRE(box.shim->connect_output(
            started->attachment, garden::launch::OutputStream::out, theirs));
    theirs.reset();
    const auto begin = Clock::now();
    std::vector<char> part(1 << 18);
    std::size_t total = 0;
    for (ssize_t n = 0; (n = ::read(mine.get(), part.data(), part.size())) > 0;)
        total += static_cast<std::size_t>(n);
    const double seconds = microseconds(Clock::now() - begin) / 1e6;
    // Fields 14 and 15 of stat are the user and system ticks of the shim (its name has no space).
    const auto status =
            base::sys::read_host_file("/proc/" + std::to_string(box.prepared.init_pid) + "/status");
    REQUIRE(status);
    const auto shim = std::to_string(std::stoi(status->substr(status->find("PPid:") + 5)));
    std::istringstream stat(*base::sys::read_host_file("/proc/" + shim + "/stat"));
    std::string word;
    double ticks = 0;
    for (int i = 1; i <= 15 && stat >> word; ++i) ticks += i >= 14 ? std::stod(word) : 0;
    std::cout << "the shim's own: "
              << static_cast<double>(total) / 1e9 /
                         (ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)))
              << " GB per cpu second\n";
    std::cout << "output: " << static_cast<double>(total) / 1e9 << " GB in " << seconds
              << " s = " << static_cast<double>(total) / 1e9 / seconds << " GB/s\n";
}
