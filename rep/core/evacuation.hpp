// Emptying the cell without losing an app (executor-rep §19): watches until no container is left,
// gives up what is over its budget, has a hard end. The asking itself is the harmonizer's. Without
// a brain nobody is asked for replacements: work goes on until its budget is over, results are kept
// until the hard end. Used by the class Rep.
#pragma once

#include "base/metrics.hpp"
#include "executor/api/executor.hpp"
#include "rep/core/config.hpp"
#include "rep/core/harmonizer.hpp"

#include <optional>

namespace rep::core {

struct Left {
    bool empty = false;        // no container of ours is left
    std::size_t stranded = 0;  // apps and tasks that were given up without a replacement
};

class Evacuation {
  public:
    Evacuation(
            const Config& config,
            executor::api::Executor& executor,
            bool has_brain,
            Harmonizer& harmonizer,
            base::metrics::Registry& metrics);

    ~Evacuation() { stop(); }

    Evacuation(const Evacuation&) = delete;
    Evacuation& operator=(const Evacuation&) = delete;

    void begin();  // idempotent
    // Nothing before it is over. Answers by itself when the hard end and the cleanup have passed,
    // also when a thread hangs in the executor.
    std::optional<Left> wait(std::chrono::milliseconds timeout);
    void stop();

  private:
    void loop();
    void finish(bool empty);
    bool give_up_overdue(const std::vector<executor::api::Container>& containers);
    bool cleanup();
    std::optional<std::vector<executor::api::Container>> ours();
    void give_up(const executor::api::Container& c, bool record);
    std::chrono::milliseconds passed() const;

    const Config& config_;
    executor::api::Executor& executor_;
    const bool has_brain_;
    Harmonizer& harmonizer_;
    base::metrics::Gauge& stranded_gauge_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<std::chrono::steady_clock::time_point> begin_;
    std::optional<Left> left_;
    std::set<std::string> stranded_;  // guids, under mutex_
    Signal signal_;
    std::thread thread_;
};

}  // namespace rep::core
