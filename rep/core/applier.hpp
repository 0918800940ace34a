// One operation, done: reads the container anew, asks the brain, follows the tables (plan/harmony).
// Holds nothing between operations that a restart would miss. Used by the harmonizer's queue; safe
// from any thread.
#pragma once

#include "brain/api/brain.hpp"
#include "executor/api/executor.hpp"
#include "rep/core/config.hpp"
#include "rep/plan/harmony.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace rep::core {

// The texts that users see (executor-rep §17.3, §17.5, §19).
inline constexpr std::string_view kNoTaskContainer = "task container does not exist";
inline constexpr std::string_view kRunRefused = "failed to run container";
inline constexpr std::string_view kNoResult = "failed to fetch result";
inline constexpr std::string_view kBadTransition = "invalid state transition";
inline constexpr std::string_view kEvacuatedTask = "cell was evacuated before completion";

// What an app's log says when its time in an evacuation is over.
std::string overdue_line(std::string_view cell_id, std::string_view guid);

class Applier {
  public:
    Applier(const Config& config,
            executor::api::Executor& executor,
            brain::api::Brain& brain,
            const std::atomic<bool>& evacuating)
        : config_(config), executor_(executor), brain_(brain), evacuating_(evacuating) {}

    // False: could not be done now (brain or executor away); nothing was lost, again later.
    bool apply(const plan::Operation& operation);

  private:
    bool container(const executor::api::Container& c);
    bool residual(const plan::Operation& operation);
    bool residual_lrp(const plan::Operation& operation);
    bool give_up(const plan::Operation& operation, const executor::api::Container& c);
    plan::Answer ask(
            plan::Call call,
            const executor::api::Container& c,
            const brain::api::LrpKey& key,
            bool evacuating);
    plan::Answer ask_evacuation(
            plan::Call call, const executor::api::Container& c, const brain::api::LrpKey& key);
    bool follow(plan::Then then, const executor::api::Container& c, const brain::api::LrpKey& key);
    bool run_lrp(const executor::api::Container& c, const brain::api::LrpKey& key);
    bool run_task(const executor::api::Container& c);
    plan::Answer finish_task(const executor::api::Container& c);
    plan::Answer complete(const brain::api::TaskOutcome& outcome);
    bool try_result_again(const std::string& guid);
    bool destroy(const std::string& guid);
    // Notes what is not an everyday answer.
    plan::Answer heard(
            std::string_view what, const std::string& guid, const base::Result<void>& result);
    void note(std::string_view what, const std::string& guid, const base::Error& error) const;
    brain::api::InstanceKey instance(const std::string& guid) const;
    void say_once(const std::string& guid, const std::string& line);

    const Config& config_;
    executor::api::Executor& executor_;
    brain::api::Brain& brain_;
    const std::atomic<bool>& evacuating_;
    std::mutex mutex_;
    // Of this run only: that the app's log has the line once, that a result which cannot be read
    // does not hold its task for ever.
    std::map<std::string, std::set<std::string>> said_;
    std::map<std::string, std::chrono::steady_clock::time_point> result_since_;
};

}  // namespace rep::core
