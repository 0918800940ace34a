// Loop: one thread on which all steps of all containers live, so that no step needs a lock. It
// waits for descriptors and timers and runs what is posted; nothing on it may block. Used by
// executor/steps, executor/checks and executor/core.
//
//   any thread ── post() ──►┐
//   epoll: sockets of streams and probes ──►  loop thread: steps ──► offload(): blocking calls
//   timers (Clock) ────────►┘                      ▲──────────────────────────┘ answer
#pragma once

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "base/worker_pool.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace executor {

class Loop {
  public:
    using Job = std::function<void()>;
    using TimerId = std::uint64_t;  // 0: none
    using WatchId = std::uint64_t;  // 0: none

    // With a ManualClock timers fire when run_until_idle() finds them due; start() is then not
    // used.
    static base::Result<std::unique_ptr<Loop>> make(const base::Clock& clock);
    ~Loop();  // stop()
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void start();  // the thread
    void stop();   // what is posted and not yet run is dropped; idempotent; not from the loop
    bool on_loop() const;

    // Any thread; in order per caller. False (and dropped) after stop().
    bool post(Job job);
    // Runs `work` on `pool` and `then` with its value on the loop. A full pool: `then` gets
    // Errc::exhausted.
    template <class T>
    void offload(
            base::WorkerPool& pool,
            std::function<base::Result<T>()> work,
            std::function<void(base::Result<T>)> then);

    // On the loop only, from here on.
    TimerId after(std::chrono::nanoseconds delay, Job job);
    void cancel(TimerId timer);  // 0 and fired ones are fine

    struct Ready {
        bool readable = false;
        bool writable = false;
        bool hung_up = false;
    };

    // Level-triggered. The descriptor stays the caller's and must outlive the watch.
    base::Result<WatchId> watch(
            base::FdRef fd, bool read, bool write, std::function<void(Ready)> ready);
    void change(WatchId watch, bool read, bool write);
    void unwatch(WatchId watch);  // 0 is fine; no call comes after it

    const base::Clock& clock() const;

    // For tests without a thread: what is posted, ready and due, until nothing is left. The number
    // of jobs run.
    std::size_t run_until_idle();
    // For the same tests: when the next timer is due; nothing: there is none.
    std::optional<std::chrono::steady_clock::time_point> next_timer() const;

  private:
    struct Impl;
    explicit Loop(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

template <class T>
void Loop::offload(
        base::WorkerPool& pool,
        std::function<base::Result<T>()> work,
        std::function<void(base::Result<T>)> then) {
    auto shared = std::make_shared<std::function<void(base::Result<T>)>>(std::move(then));
    auto taken = pool.submit([this, shared, work = std::move(work)] {
        auto value = std::make_shared<base::Result<T>>(work());
        (void)post([shared, value] { (*shared)(std::move(*value)); });  // stopped: nobody waits
    });
    if (taken) return;
    auto error = std::make_shared<base::Error>(std::move(taken).error());
    (void)post([shared, error] { (*shared)(std::move(*error)); });
}

}  // namespace executor
