// The lease that proves that this cell lives (executor-rep §18). Losing it ends nothing: it is
// tried again for ever. Used by the class Rep.
#pragma once

#include "brain/api/brain.hpp"
#include "executor/api/executor.hpp"
#include "rep/core/config.hpp"
#include "rep/core/signal.hpp"

#include <atomic>
#include <functional>
#include <thread>

namespace rep::core {

class Presence {
  public:
    // `on_return`: the brain answers again after it did not; any thread.
    Presence(
            const Config& config,
            executor::api::Executor& executor,
            brain::api::Brain& brain,
            std::function<void()> on_return);

    ~Presence() { stop(); }

    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

    void start();
    void stop();                   // the lease stays until it is over
    base::Result<void> release();  // after stop()

    bool held() const { return held_; }

  private:
    void loop();
    void renew();

    const Config& config_;
    executor::api::Executor& executor_;
    brain::api::Brain& brain_;
    const std::function<void()> on_return_;
    const std::string owner_;
    executor::api::Resources total_;  // the last known: an executor that is away has not shrunk
    std::atomic<bool> held_ = false;
    bool lost_ = false;  // since the last success
    Signal signal_;
    std::thread thread_;
};

}  // namespace rep::core
