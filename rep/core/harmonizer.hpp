// Keeps containers and records in agreement: bulk rounds and the executor's events fill the queue
// of operations (executor-rep §17). Used by the class Rep.
#pragma once

#include "base/metrics.hpp"
#include "rep/core/applier.hpp"
#include "rep/core/queue.hpp"
#include "rep/core/signal.hpp"

#include <thread>

namespace rep::core {

class Harmonizer {
  public:
    Harmonizer(
            const Config& config,
            executor::api::Executor& executor,
            brain::api::Brain& brain,
            const std::atomic<bool>& evacuating,
            base::metrics::Registry& metrics);
    ~Harmonizer();  // stop, and waits for what runs
    Harmonizer(const Harmonizer&) = delete;
    Harmonizer& operator=(const Harmonizer&) = delete;

    void start();  // a round at once: what was before this process is only known from it
    void kick();   // a round now

    void push(plan::Operation operation) { queue_.push(std::move(operation)); }

    // Ends the loops and forgets what waits; true when nothing runs any more.
    bool stop(std::chrono::milliseconds grace);

    // One round; public for tests and for tools. False: skipped, nothing was acted upon.
    bool round();

    bool wait_idle(std::chrono::milliseconds timeout) { return queue_.wait_idle(timeout); }

    OperationQueue::Figures figures() const { return queue_.figures(); }

  private:
    void apply(const plan::Operation& operation);
    void bulk_loop();
    void event_loop();
    base::Errc follow(executor::api::EventSource& events);  // why it ended
    void note(std::string_view what, const base::Error& error) const;

    const Config& config_;
    executor::api::Executor& executor_;
    brain::api::Brain& brain_;
    const std::atomic<bool>& evacuating_;
    base::metrics::Histogram& durations_;
    base::metrics::Counter& unchanged_;
    base::metrics::Counter& skipped_;
    Applier applier_;
    Signal bulk_;
    Signal events_;
    std::mutex source_mutex_;
    executor::api::EventSource* source_ = nullptr;  // of the event loop, while it follows
    OperationQueue queue_;
    std::thread bulk_thread_;
    std::thread event_thread_;
};

}  // namespace rep::core
