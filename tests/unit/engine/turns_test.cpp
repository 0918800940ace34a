// No more at once than there are turns, and nobody waits while there is one.
#include "garden/engine/turns.hpp"

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using garden::Turns;
using namespace std::chrono_literals;

TEST_CASE("more than there are turns wait, and are told when it takes too long") {
    Turns turns(2);
    CHECK(turns.take(0ms));
    CHECK(turns.take(0ms));
    CHECK_FALSE(turns.take(10ms));
    turns.give();
    CHECK(turns.take(0ms));
}

TEST_CASE("turns that end together are taken together") {
    Turns turns(8);
    for (int i = 0; i < 8; ++i) REQUIRE(turns.take(0ms));
    std::vector<std::future<bool>> waiting;
    for (int i = 0; i < 8; ++i)
        waiting.push_back(std::async(std::launch::async, [&] { return turns.take(60s); }));
    for (int i = 0; i < 8; ++i) turns.give();
    // Nobody of them gives his turn back: each needs a wake-up of his own.
    for (auto& one : waiting) CHECK(one.get());
    CHECK_FALSE(turns.take(0ms));
}

TEST_CASE("many threads take turns and never more at once than there are") {
    Turns turns(3);
    std::atomic<int> inside{0}, most{0}, done{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < 200; ++round) {
                if (!turns.take(60s)) return;
                const int now = ++inside;
                int seen = most;
                while (seen < now && !most.compare_exchange_weak(seen, now)) {
                }
                --inside;
                ++done;
                turns.give();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(done == 16 * 200);
    CHECK(most <= 3);
}
