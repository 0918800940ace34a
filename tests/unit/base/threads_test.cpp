#include "base/gate.hpp"
#include "base/keyed_lock.hpp"
#include "base/worker_pool.hpp"

#include <atomic>
#include <future>
#include <latch>

#include <catch2/catch.hpp>

using base::Errc;
using base::Gate;
using base::KeyedLock;
using base::WorkerPool;
using namespace std::chrono_literals;

TEST_CASE("a pool runs every job it took") {
    std::atomic<int> ran = 0;
    {
        WorkerPool pool({.name = "test", .threads = 4, .queue = 1000});
        for (int i = 0; i < 500; ++i) REQUIRE(pool.submit([&] { ++ran; }));
    }
    CHECK(ran == 500);
}

TEST_CASE("a pool refuses by name what its queue cannot hold") {
    std::promise<void> open;
    const auto wait = open.get_future().share();
    std::latch busy(2);
    WorkerPool pool({.name = "pulls", .threads = 2, .queue = 3});
    for (int i = 0; i < 2; ++i) {
        REQUIRE(pool.submit([&] {
            busy.count_down();
            wait.wait();
        }));
    }
    busy.wait();
    for (int i = 0; i < 3; ++i) REQUIRE(pool.submit([] {}));
    auto refused = pool.submit([] {});
    REQUIRE(!refused);
    CHECK(refused.error().kind == Errc::exhausted);
    CHECK(refused.error().text == "pool pulls: 3 jobs wait, the limit is 3");
    const auto figures = pool.figures();
    CHECK(figures.threads == 2);
    CHECK(figures.busy == 2);
    CHECK(figures.queued == 3);
    CHECK(figures.refused == 1);
    open.set_value();
    pool.stop();
    CHECK(pool.figures().done == 5);
    CHECK(!pool.submit([] {}));
}

TEST_CASE("a pool makes a thread for each job that would wait, up to its limit") {
    WorkerPool pool({.name = "test", .threads = 3, .queue = 10});
    std::latch together(3);  // only reached when three run at once
    for (int i = 0; i < 3; ++i) REQUIRE(pool.submit([&] { together.arrive_and_wait(); }));
    together.wait();
    CHECK(pool.figures().threads == 3);
}

TEST_CASE("one key has one holder, and its memory is freed") {
    KeyedLock locks;
    int unprotected[2] = {0, 0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 500; ++i) {
                const auto guard = locks.lock(t % 2 == 0 ? "a" : "b");
                ++unprotected[t % 2];
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(unprotected[0] == 1000);
    CHECK(unprotected[1] == 1000);
    CHECK(locks.keys() == 0);
}

TEST_CASE("a held key does not hold another") {
    KeyedLock locks;
    const auto hung = locks.lock("hung");
    CHECK(!locks.try_lock("hung"));
    CHECK(locks.try_lock("other"));
    CHECK(!locks.lock_until("hung", std::chrono::steady_clock::now() + 5ms));
}

TEST_CASE("who gave up waiting for a key is passed over") {
    KeyedLock locks;
    std::optional<KeyedLock::Guard> held = locks.lock("k");
    CHECK(!locks.lock_until("k", std::chrono::steady_clock::now() + 1ms));
    auto next = std::async(std::launch::async, [&] {
        return locks.lock_until("k", std::chrono::steady_clock::now() + 60s).has_value();
    });
    CHECK(!locks.lock_until("k", std::chrono::steady_clock::now() + 1ms));
    held.reset();
    CHECK(next.get());
    CHECK(locks.keys() == 0);
}

TEST_CASE("a gate is full per key before it is full for all") {
    Gate gate({.name = "creates", .total = 3, .per_key = 2});
    {
        auto a = gate.enter("registry-a");
        auto b = gate.enter("registry-a");
        auto refused = gate.enter("registry-a");
        REQUIRE(!refused);
        CHECK(refused.error().kind == Errc::unavailable);
        CHECK(refused.error().text ==
              "creates: 2 are at work for 'registry-a', the limit is 2; try again");
        auto other = gate.enter("registry-b");
        CHECK(other);
        CHECK(!gate.enter("registry-c"));
        CHECK(gate.figures().inside == 3);
        CHECK(gate.figures().refused == 2);
    }
    CHECK(gate.figures().inside == 0);
    CHECK(gate.figures().keys == 0);
}
