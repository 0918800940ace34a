#include "garden/server/lanes.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <vector>

#include <catch2/catch.hpp>

using garden::Handle;
using garden::server::Lanes;
using namespace std::chrono_literals;

TEST_CASE("the jobs of one lane run in order, one at a time") {
    Lanes lanes(8, 4);
    std::vector<int> order;  // no lock: only one job runs
    std::promise<void> done;
    for (int i = 0; i < 200; ++i) lanes.submit(Handle("a"), [&order, i] { order.push_back(i); });
    lanes.submit(Handle("a"), [&] { done.set_value(); });
    REQUIRE(done.get_future().wait_for(10s) == std::future_status::ready);
    REQUIRE(order.size() == 200);
    CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("a lane that hangs holds one thread and no other lane") {
    Lanes lanes(8, 2);
    std::promise<void> release;
    const auto hang = release.get_future().share();
    for (int i = 0; i < 50; ++i) lanes.submit(Handle("hung"), [hang] { hang.wait(); });
    std::latch others(3);
    for (const char* name : {"a", "b", "c"})
        lanes.submit(Handle(name), [&] { others.count_down(); });
    others.wait();
    CHECK(lanes.figures().busy == 1);
    release.set_value();
}

TEST_CASE("stopping waits for what is at work, and drops what has no time left") {
    Lanes lanes(8, 2);
    std::atomic<int> ran = 0;
    std::promise<void> started;
    std::promise<void> release;
    lanes.submit(Handle("a"), [&] {
        started.set_value();
        release.get_future().wait();
        ++ran;
    });
    for (int i = 0; i < 10; ++i) lanes.submit(Handle("a"), [&] { ++ran; });
    started.get_future().wait();
    auto stopped = std::async(std::launch::async, [&] { lanes.stop(20ms); });
    CHECK(stopped.wait_for(100ms) == std::future_status::timeout);
    release.set_value();
    stopped.get();
    CHECK(ran == 1);
    lanes.submit(Handle("a"), [&] { ++ran; });
    CHECK(ran == 1);
}
