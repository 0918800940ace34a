// Node: one container of the cell in memory, its record, its steps. Private to executor/core.
//
// Locks: `mutex` guards what stands below it and is never held over a call that can block but the
// write of the record. Operations on one container (create, destroy) are one after the other by the
// executor's KeyedLock. `steps` belongs to the loop.
#pragma once

#include "executor/core/store.hpp"
#include "executor/logs/stream.hpp"
#include "executor/steps/tools.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

namespace executor {

// The running form of one recipe. Made, used and destroyed on the loop.
struct RunningSteps {
    std::unique_ptr<Journal> journal;
    std::shared_ptr<LogStream> log;  // owners: the hub and this
    std::unique_ptr<ContainerFiles> files;
    Tools tools;
    std::unique_ptr<Step> step;
};

struct Node {
    explicit Node(Record given) : record(std::move(given)) {}

    const std::string& guid() const { return record.container.guid; }  // never changes

    mutable std::mutex mutex;
    std::condition_variable changed;
    Record record;
    bool gone = false;                         // destroyed; out of the registry
    bool in_garden = false;                    // the backend was asked to make it
    bool destroying = false;                   // somebody is at it
    std::vector<std::shared_ptr<void>> holds;  // on directories of the cache
    std::stop_source stop;                     // breaks off downloads of the creation

    std::unique_ptr<RunningSteps> steps;  // the loop's
    bool stepping = false;                // under `mutex`: steps exist and have not ended
};

}  // namespace executor
