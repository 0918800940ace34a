#include "security/id_ranges.hpp"

#include "tests/kernel/security/child.hpp"
#include "tests/support/needs.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <thread>

using security::IdRanges;

namespace {

// What the child was told is done, in memory that outlives it: owner n has `base` since the
// allocation returned.
struct Ledger {
    static constexpr std::size_t kOwners = 64;
    std::array<std::atomic<std::uint32_t>, kOwners> base;  // 0: nothing was promised
    std::array<std::atomic<std::uint32_t>, kOwners>
            in_flight;  // 1: an operation on it has not returned
    std::atomic<std::uint64_t> operations;
};

security::IdRangesConfig config_in(const std::string& directory) {
    return {.directory = directory,
            .passwd = "/nonexistent",
            .group = "/nonexistent",
            .subuid = "/nonexistent",
            .subgid = "/nonexistent",
            .last = security::kIdRangeFirst + 100 * security::kIdRangeLength - 1};
}

std::string owner_name(std::size_t n) {
    return "owner-" + std::to_string(n);
}

// Allocates and releases until it is killed.
[[noreturn]] void churn(const std::string& directory, Ledger& ledger, unsigned seed) {
    auto ranges = IdRanges::open(config_in(directory));
    if (!ranges) ::_exit(1);
    std::minstd_rand random(seed);
    for (;;) {
        const std::size_t n = random() % Ledger::kOwners;
        ledger.in_flight[n] = 1;
        if (ledger.base[n] == 0) {
            auto range = (*ranges)->allocate(owner_name(n));
            if (!range) ::_exit(2);
            ledger.base[n] = range->base;
        } else if (random() % 3 == 0) {
            // A pooled range becomes a container's, and goes back.
            if (!(*ranges)->rename(owner_name(n), "renamed") ||
                !(*ranges)->rename("renamed", owner_name(n)))
                ::_exit(3);
        } else {
            if (!(*ranges)->release(owner_name(n))) ::_exit(4);
            ledger.base[n] = 0;
        }
        ledger.in_flight[n] = 0;
        ++ledger.operations;
    }
}

}  // namespace

TEST_CASE("ID-03 a daemon that is killed at any moment loses no range and shares none") {
    const auto directory = test::temporary_directory("/dev/shm");
    auto* memory = ::mmap(
            nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    auto& ledger = *new (memory) Ledger{};
    std::minstd_rand random(static_cast<unsigned>(::getpid()));
    for (unsigned round = 0; round < 60; ++round) {
        const auto before = ledger.operations.load();
        const pid_t pid = ::fork();
        REQUIRE(pid >= 0);
        if (pid == 0) churn(directory, ledger, round);
        // Work has begun, then death comes somewhere inside it.
        int status = 0;
        while (ledger.operations == before && ::waitpid(pid, &status, WNOHANG) == 0)
            std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
        ::kill(pid, SIGKILL);
        (void)::waitpid(pid, &status, 0);
        REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));

        auto ranges = IdRanges::open(config_in(directory));
        REQUIRE(ranges);
        CHECK((*ranges)->damaged().empty());
        std::map<std::string, std::uint32_t> recorded;
        std::set<std::uint32_t> bases;
        for (const auto& [owner, range] : (*ranges)->list()) {
            recorded[owner] = range.base;
            CHECK(bases.insert(range.base).second);
        }
        for (std::size_t n = 0; n < Ledger::kOwners; ++n) {
            const std::uint32_t promised = ledger.base[n];
            if (ledger.in_flight[n] == 0) {
                // What was promised is there, and nothing else is.
                CHECK((promised == 0 ? !recorded.contains(owner_name(n))
                                     : recorded[owner_name(n)] == promised));
            } else if (recorded.contains("renamed")) {
                CHECK((*ranges)->release("renamed"));
            }
            // The interrupted one is found by its name, as the engine's recovery does.
            const auto found = (*ranges)->find(owner_name(n));
            ledger.base[n] = found ? found->base : 0;
            ledger.in_flight[n] = 0;
        }
    }
    CHECK(ledger.operations > 1000);
    ::munmap(memory, sizeof(Ledger));
    std::filesystem::remove_all(directory);
}
