// (a): gardend killed again and again while eight clients work. Nothing that was promised is lost,
// nothing that was not promised stays.
#include "base/parse.hpp"
#include "tests/e2e/chaos_actor.hpp"
#include "tests/support/needs.hpp"

#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include <catch2/catch.hpp>

using std::chrono::milliseconds;
using test::Actor;
using test::Daemon;
using test::patience;
using test::process;
using test::Reader;

namespace {

unsigned seed_of_this_run() {
    const char* given = std::getenv("CLOCHE_E2E_SEED");
    return given != nullptr ? base::parse_number<unsigned>(given, "seed").value()
                            : std::random_device{}();
}

int operations_of_this_run() {
    const char* given = std::getenv("CLOCHE_E2E_OPERATIONS");
    if (given != nullptr) return base::parse_number<int>(given, "operations").value();
    return std::getenv("VM_GUEST") != nullptr ? 60 : 1000;  // emulation is slow
}

// Kills and restarts until no operations are left; returns how often.
int kill_around(
        Daemon& daemon,
        std::mt19937& random,
        const test::ChaosFigures& figures,
        test::Complaints& complaints,
        const test::Pulse& pulse) {
    int kills = 0;
    while (figures.operations_left > 0 && complaints.size() < 20) {
        const bool early = random() % 5 == 0;  // while it still recovers
        if (!early) daemon.wait_ready();
        const auto least = early ? 0U : 300U;
        const auto most = early ? 300U : 1500U;
        // Where a create takes seconds, so do the pauses: something must get done between kills.
        const auto pause = milliseconds(least + random() % (most - least));
        std::this_thread::sleep_for(pause * test::scaled(1));
        daemon.kill9();
        ++kills;
        for (const auto& text : pulse.missing()) complaints.add("after kill -9: " + text);
        (void)test::descendants();  // buries the dead
        daemon.spawn();
    }
    daemon.wait_ready();
    return kills;
}

}  // namespace

TEST_CASE("kill -9 of gardend at random points: no created container, process or code is lost") {
    NEEDS(root, nft);
    const unsigned seed = seed_of_this_run();
    std::cout << "chaos: CLOCHE_E2E_SEED=" << seed << std::endl;
    INFO("CLOCHE_E2E_SEED=" << seed);
    Daemon daemon;
    daemon.create("witness");
    auto counting = daemon.client()
                            .run("witness", process({"sh", "-c",
                                                     "i=0; while true; do echo line $i; "
                                                     "i=$((i+1)); usleep 50000; done"},
                                                    "p"))
                            .value();
    const Reader witness(counting.open_output(false).value());

    test::ChaosFigures figures;
    figures.operations_left = operations_of_this_run();
    test::Complaints complaints;
    test::Pulse pulse;
    std::vector<std::unique_ptr<Actor>> actors;
    std::vector<std::thread> threads;
    const auto begin = std::chrono::steady_clock::now();
    const int clients = std::getenv("VM_GUEST") != nullptr ? 3 : 8;
    for (int i = 0; i < clients; ++i)
        actors.push_back(std::make_unique<Actor>(daemon, i, seed, figures, complaints, pulse));
    for (auto& actor : actors) threads.emplace_back([&actor] { actor->work(); });
    std::mt19937 random(seed);
    int kills = 0;
    try {
        kills = kill_around(daemon, random, figures, complaints, pulse);
    } catch (const std::exception& error) {
        complaints.add(error.what());
        figures.operations_left = 0;
        daemon.kill9();
        daemon.spawn();  // the actors wait for one
    }
    for (auto& thread : threads) thread.join();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
                                 std::chrono::steady_clock::now() - begin)
                                 .count();
    std::cout << "chaos: " << figures.creates << " creates, " << figures.runs << " runs, "
              << figures.destroys << " destroys, " << kills << " kills, " << figures.repeats
              << " repeats, " << figures.attaches << " attaches, " << pulse.size()
              << " processes still to be alive, in " << seconds << " s" << std::endl;

    for (auto& actor : actors) actor->verify();
    for (const auto& text : pulse.missing()) complaints.add("at the end: " + text);
    CHECK(daemon.findings() == std::vector<std::string>{});
    // Recovery once more, in peace.
    daemon.restart();
    for (auto& actor : actors) actor->verify();
    const auto lines = witness.lines();
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i] == "line " + std::to_string(i)) continue;
        complaints.add("the witness says '" + lines[i] + "' as line " + std::to_string(i));
        break;
    }
    CHECK(lines.size() > 20);
    for (const auto& text : complaints.all()) CHECK(text == "");
    CHECK(kills > 0);
}
