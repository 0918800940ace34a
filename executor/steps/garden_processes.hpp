// Processes over a Garden server, as the steps want them: on the loop, and over restarts of
// gardend. Used by executor/core (one for the whole cell).
//
//   run ─► starting ── attached ─► live ── exit status, outputs at their end ─► ended
//             ▲                      │ connection broke: gardend restarts
//             └───── back-off ◄──────┘ (the outputs are the shim's: they go on meanwhile)
#pragma once

#include "base/worker_pool.hpp"
#include "executor/loop/loop.hpp"
#include "executor/steps/processes.hpp"
#include "garden/api/client.hpp"

#include <chrono>
#include <memory>

namespace executor {

struct GardenTimes {
    std::chrono::nanoseconds first_retry = std::chrono::milliseconds(50);
    std::chrono::nanoseconds longest_retry = std::chrono::seconds(2);
    // After the exit status: somebody else may hold the pipe for ever.
    std::chrono::nanoseconds output_end = std::chrono::seconds(2);
};

class GardenProcesses final : public Processes {
  public:
    // Starting, attaching and asking for events block: on `pool`. Order of ends: the loop is
    // stopped first, then the pool, then this may go.
    GardenProcesses(
            Loop& loop, garden::api::Client& client, base::WorkerPool& pool, GardenTimes times = {})
        : loop_(loop), client_(client), pool_(pool), times_(times) {}

    std::unique_ptr<RunningProcess> run(ProcessRequest request, ProcessEvents events) override;

  private:
    Loop& loop_;
    garden::api::Client& client_;
    base::WorkerPool& pool_;
    const GardenTimes times_;
};

}  // namespace executor
