#include "executor/loop/loop.hpp"

#include "base/sys/partial.hpp"
#include "base/sys/stream_socket.hpp"

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using executor::Loop;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Bench {
    base::ManualClock clock;
    std::unique_ptr<Loop> loop = Loop::make(clock).value();
    std::string log;

    Loop::Job say(std::string word) {
        return [this, word = std::move(word)] { log += word + " "; };
    }
};

}  // namespace

TEST_CASE("timers fire in the order of their times and equal ones in the order they were set") {
    Bench b;
    (void)b.loop->after(seconds(2), b.say("late"));
    (void)b.loop->after(seconds(1), b.say("first"));
    (void)b.loop->after(seconds(1), b.say("second"));
    CHECK(b.loop->run_until_idle() == 0);
    b.clock.advance(seconds(2));
    CHECK(b.loop->run_until_idle() == 3);
    CHECK(b.log == "first second late ");
}

TEST_CASE("a timer that is cancelled does not fire and cancelling anything else is fine") {
    Bench b;
    const auto timer = b.loop->after(seconds(1), b.say("no"));
    const auto other = b.loop->after(seconds(1), b.say("yes"));
    b.loop->cancel(timer);
    b.loop->cancel(timer);
    b.loop->cancel(0);
    b.clock.advance(seconds(1));
    b.loop->run_until_idle();
    b.loop->cancel(other);
    CHECK(b.log == "yes ");
}

TEST_CASE("a timer may cancel another that is due in the same round") {
    Bench b;
    Loop::TimerId second = 0;
    (void)b.loop->after(seconds(1), [&] { b.loop->cancel(second); });
    second = b.loop->after(seconds(1), b.say("no"));
    b.clock.advance(seconds(1));
    b.loop->run_until_idle();
    CHECK(b.log.empty());
}

TEST_CASE("a timer of centuries does not fire now") {
    Bench b;
    (void)b.loop->after(std::chrono::nanoseconds::max(), b.say("no"));
    b.clock.advance(std::chrono::hours(1));
    b.loop->run_until_idle();
    CHECK(b.log.empty());
}

TEST_CASE("posted jobs run in order and what they post runs after them") {
    Bench b;
    CHECK(b.loop->post([&] {
        b.log += "one ";
        (void)b.loop->post(b.say("three"));
    }));
    CHECK(b.loop->post(b.say("two")));
    b.loop->run_until_idle();
    CHECK(b.log == "one two three ");
}

TEST_CASE("a watched descriptor is called while it is ready and never after unwatch") {
    Bench b;
    auto pair = base::sys::stream_pair().value();
    Loop::WatchId watch = 0;
    int calls = 0;
    watch = b.loop->watch(pair.first, true, false, [&](Loop::Ready ready) {
                      CHECK(ready.readable);
                      if (++calls == 3) b.loop->unwatch(watch);
                  }).value();
    b.loop->run_until_idle();
    CHECK(calls == 0);
    REQUIRE(base::sys::write_some(pair.second, "x"));
    b.loop->run_until_idle();
    CHECK(calls == 3);
}

TEST_CASE("a descriptor whose watch wants nothing is silent even when its peer is gone") {
    Bench b;
    auto pair = base::sys::stream_pair().value();
    int calls = 0;
    Loop::WatchId watch = 0;
    watch = b.loop->watch(pair.first, true, false, [&](Loop::Ready) {
                      ++calls;
                      b.loop->change(watch, false, false);
                  }).value();
    pair.second.reset();
    b.loop->run_until_idle();
    CHECK(calls == 1);
    b.loop->change(watch, true, false);
    b.loop->run_until_idle();
    CHECK(calls == 2);
    b.loop->unwatch(watch);
}

TEST_CASE("a descriptor may end the watch of another that is ready in the same round") {
    Bench b;
    auto one = base::sys::stream_pair().value();
    auto two = base::sys::stream_pair().value();
    Loop::WatchId first = 0, second = 0;
    int calls = 0;
    const auto both = [&](Loop::Ready) {
        ++calls;
        b.loop->unwatch(first);
        b.loop->unwatch(second);
    };
    first = b.loop->watch(one.first, true, false, both).value();
    second = b.loop->watch(two.first, true, false, both).value();
    REQUIRE(base::sys::write_some(one.second, "x"));
    REQUIRE(base::sys::write_some(two.second, "x"));
    b.loop->run_until_idle();
    CHECK(calls == 1);
}

TEST_CASE("nothing is called after stop and posting says so") {
    Bench b;
    (void)b.loop->post(b.say("posted"));
    (void)b.loop->after(seconds(0), b.say("timer"));
    b.loop->stop();
    CHECK_FALSE(b.loop->post(b.say("late")));
    CHECK(b.loop->after(seconds(0), b.say("timer")) == 0);
    b.loop->run_until_idle();
    CHECK(b.log.empty());
}

TEST_CASE("a loop with a thread runs timers and posts from other threads and stops twice") {
    const base::SystemClock clock;
    auto loop = Loop::make(clock).value();
    loop->start();
    CHECK_FALSE(loop->on_loop());
    std::promise<bool> fired;
    (void)loop->post([&] {
        (void)loop->after(milliseconds(20), [&] { fired.set_value(loop->on_loop()); });
    });
    auto future = fired.get_future();
    REQUIRE(future.wait_for(seconds(10)) == std::future_status::ready);
    CHECK(future.get());
    loop->stop();
    loop->stop();
}

TEST_CASE("offloaded work answers on the loop and a full pool is told") {
    const base::SystemClock clock;
    auto loop = Loop::make(clock).value();
    base::WorkerPool pool({.name = "test", .threads = 1, .queue = 1});
    loop->start();
    std::promise<int> value;
    loop->offload<int>(
            pool, [] { return base::Result<int>(7); },
            [&](base::Result<int> got) { value.set_value(loop->on_loop() ? *got : -1); });
    auto future = value.get_future();
    REQUIRE(future.wait_for(seconds(10)) == std::future_status::ready);
    CHECK(future.get() == 7);
    pool.stop();
    std::promise<base::Errc> refused;
    loop->offload<int>(
            pool, [] { return base::Result<int>(7); },
            [&](base::Result<int> got) { refused.set_value(got.error().kind); });
    auto error = refused.get_future();
    REQUIRE(error.wait_for(seconds(10)) == std::future_status::ready);
    CHECK(error.get() == base::Errc::exhausted);
    loop->stop();
}

TEST_CASE("many threads post at once and nothing is lost") {
    const base::SystemClock clock;
    auto loop = Loop::make(clock).value();
    loop->start();
    constexpr int kThreads = 4, kEach = 2'000;
    std::promise<void> all;
    int count = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < kEach; ++n)
                (void)loop->post([&] {
                    if (++count == kThreads * kEach) all.set_value();
                });
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(all.get_future().wait_for(seconds(20)) == std::future_status::ready);
    loop->stop();
}
