// Effects: what the brain asks of others once a change is durable. Implemented by brain/daemon with
// the auctioneer, calls to cells and the callback worker; by recorders in tests. Every call only
// queues (the committing thread makes them, in the order of the changes) and may be lost with the
// process: convergence asks again.
#pragma once

#include "brain/model/outcome.hpp"

namespace brain::core {

class Effects {
  public:
    virtual ~Effects() = default;
    virtual void start_lrps(const model::LrpStart& start) = 0;
    virtual void start_task(const api::TaskPtr& task) = 0;
    // The presence of the cell that the instance or task names.
    virtual void stop_instance(
            const api::CellPresence& cell, const model::StopInstance& instance) = 0;
    virtual void cancel_task(const api::CellPresence& cell, const std::string& task_guid) = 0;
    virtual void update_instance(
            const api::CellPresence& cell, const model::UpdateInstance& update) = 0;
    virtual void call_back(const api::TaskPtr& task) = 0;
    // The lead is over: nothing of what is queued counts any more.
    virtual void forget_everything() = 0;
};

}  // namespace brain::core
