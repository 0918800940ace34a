// Rep: the cell's representative in one object, as its HTTP API and `celld` use it. Owns the
// threads of harmonizer, presence and evacuation; everything else is in the executor and the brain.
//
//   Rep rep(config, executor, brain, metrics);    both outlive it; no brain: nullptr
//   rep.start();                                  after the executor recovered, before listening
//   …  rep.evacuate();  rep.wait_left(…);         POST /evacuate
//   if (!rep.stop(grace, release)) _exit(…);      false: a thread hangs in the executor
#pragma once

#include "base/metrics.hpp"
#include "brain/api/brain.hpp"
#include "executor/api/executor.hpp"
#include "rep/api/types.hpp"
#include "rep/core/cell_metrics.hpp"
#include "rep/core/config.hpp"
#include "rep/core/evacuation.hpp"
#include "rep/core/harmonizer.hpp"
#include "rep/core/no_brain.hpp"
#include "rep/core/presence.hpp"

#include <memory>
#include <optional>

namespace rep::core {

struct StateAnswer {
    api::CellState state;
    bool healthy = true;
};

enum class Lease : std::uint8_t {
    release,  // the cell goes: the brain notices at once
    keep,     // it comes back within the time to live: nobody notices
};

class Rep {
  public:
    Rep(Config config,
        executor::api::Executor& executor,
        brain::api::Brain& brain,
        base::metrics::Registry& metrics)
        : Rep(std::move(config), executor, &brain, metrics) {}

    // Null: this cell has no brain. The whole HTTP API is served all the same; nothing is compared
    // and no presence is held, as a brain that does not exist tells nothing: containers stay until
    // somebody asks for their end (`stop`, `cancel`, the executor's API, an evacuation).
    Rep(Config config,
        executor::api::Executor& executor,
        brain::api::Brain* brain,
        base::metrics::Registry& metrics);
    ~Rep();  // stop(0, keep); waits for what still runs
    Rep(const Rep&) = delete;
    Rep& operator=(const Rep&) = delete;

    void start();
    // Containers stay as they are. False: some operation still runs after `grace`; then end the
    // process without destructors.
    bool stop(std::chrono::milliseconds grace, Lease lease);

    void evacuate();  // idempotent; any thread

    bool evacuating() const { return evacuating_; }

    // What the evacuation came to; nothing while it goes on, or was never asked for.
    std::optional<Left> wait_left(std::chrono::milliseconds timeout);

    bool present() const { return presence_.held(); }

    Harmonizer& harmonizer() { return harmonizer_; }

    // The HTTP API (executor-rep §14.2).
    base::Result<StateAnswer> state();
    base::Result<api::Work> perform(api::Work work);  // what was refused
    base::Result<void> stop_lrp(std::string_view process_guid, std::string_view instance_guid);
    // Without `metric_tags` (v1) they stay as they are.
    base::Result<void> update_lrp(const api::LrpUpdate& update, bool metric_tags);
    void cancel_task(std::string_view task_guid);
    base::Result<api::ContainerMetrics> container_metrics();

  private:
    struct CpuSample {
        std::uint64_t spent = 0;
        std::uint64_t age = 0;
    };

    base::Result<plan::Snapshot> snapshot();
    base::Result<executor::api::Container> instance(
            std::string_view process_guid, std::string_view instance_guid);
    api::Usage usage(const executor::api::Container& c, const executor::api::ContainerMetrics& m);

    const Config config_;
    executor::api::Executor& executor_;
    const bool has_brain_;
    NoBrain no_brain_;
    std::atomic<bool> evacuating_ = false;
    std::shared_ptr<CellMetrics> metrics_;
    Harmonizer harmonizer_;
    Presence presence_;
    Evacuation evacuation_;
    std::mutex intake_mutex_;  // one delivery at a time: each counts on what is left
    std::mutex cpu_mutex_;
    std::map<std::string, CpuSample> cpu_;  // of the previous question; gone ones are forgotten
};

}  // namespace rep::core
