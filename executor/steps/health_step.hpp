// HealthStep: what the two kinds of health monitoring have in common (executor-rep §7.1): lines,
// reasons, the start timeout, what a restart takes up again. Ready when healthy; ends only with a
// failure or a cancel. The kinds: monitor_step.cpp (a process) and check_step.cpp (probes).
#pragma once

#include "executor/steps/basic_step.hpp"
#include "executor/steps/tools.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace executor {

struct HealthOptions {
    std::string path;                           // in the journal
    std::string source;                         // of its lines
    std::chrono::nanoseconds start_timeout{0};  // 0: none
};

// A process is run again and again.
std::unique_ptr<Step> make_monitor_step(
        const api::Action& monitor, Tools& tools, HealthOptions options);
// Probes from the host.
std::unique_ptr<Step> make_check_step(
        const std::vector<api::Check>& checks, Tools& tools, HealthOptions options);

class HealthStep : public BasicStep {
  public:
    HealthStep(Tools& tools, HealthOptions options)
        : BasicStep(tools.loop), tools_(tools), options_(std::move(options)) {}

    ~HealthStep() override { loop().cancel(deadline_); }

    HealthStep(const HealthStep&) = delete;
    HealthStep& operator=(const HealthStep&) = delete;

  protected:
    virtual void begin_startup() = 0;
    // `first`: the delay before the first check; 0 = its interval.
    virtual void begin_liveness(std::chrono::nanoseconds first) = 0;
    virtual void give_up() = 0;  // the start timeout is over: startup_failed() soon

    void became_healthy();
    void startup_failed(const std::string& detail);
    void liveness_failed(const std::string& detail);

    bool healthy() const { return healthy_; }

    std::chrono::nanoseconds elapsed() const;

    Tools& tools() { return tools_; }

    const HealthOptions& options() const { return options_; }

  private:
    void begin() final;
    void say_failure(const std::string& detail, const std::string& line);

    Tools& tools_;
    const HealthOptions options_;
    std::chrono::system_clock::time_point begun_at_{};
    Loop::TimerId deadline_ = 0;
    bool healthy_ = false;
};

}  // namespace executor
