// Brain: what a cell asks of the brain (executor-rep §17, lifecycle §7). Implemented by the client
// of a brain and, for development and tests, in memory (rep/core/memory_brain.hpp); used by the
// rep. Every call may block; safe from any thread; every change may be repeated. A refusal
// has a name of errors.hpp; any other error means that the brain is away.
#pragma once

#include "brain/api/cell.hpp"
#include "brain/api/errors.hpp"
#include "brain/api/lrp.hpp"
#include "brain/api/task.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace brain::api {

// Of `start` and of `evacuate running`.
struct RunningLrp {
    LrpKey key;
    InstanceKey instance;
    NetInfo net_info;
    std::vector<InternalRoute> internal_routes;
    MetricTags metric_tags;
    bool routable = true;
    std::string availability_zone;
    bool operator==(const RunningLrp&) const = default;
};

struct TaskOutcome {
    std::string task_guid;
    std::string cell_id;
    bool failed = false;
    std::string failure_reason;
    std::string result;
    bool operator==(const TaskOutcome&) const = default;
};

struct SyncAnswer {
    bool unchanged = false;  // the digests are equal: no records follow
    std::vector<ActualLrp> lrps;
    std::vector<Task> tasks;
};

class Brain {
  public:
    virtual ~Brain() = default;

    virtual base::Result<void> claim_actual_lrp(const LrpKey& key, const InstanceKey& instance) = 0;
    virtual base::Result<void> start_actual_lrp(const RunningLrp& running) = 0;
    virtual base::Result<void> crash_actual_lrp(
            const LrpKey& key, const InstanceKey& instance, std::string_view reason) = 0;
    virtual base::Result<void> remove_actual_lrp(
            const LrpKey& key, const InstanceKey& instance) = 0;
    virtual base::Result<void> remove_evacuating_actual_lrp(
            const LrpKey& key, const InstanceKey& instance) = 0;

    // The answer: keep the container.
    virtual base::Result<bool> evacuate_claimed_actual_lrp(
            const LrpKey& key, const InstanceKey& instance) = 0;
    virtual base::Result<bool> evacuate_running_actual_lrp(const RunningLrp& running) = 0;
    virtual base::Result<bool> evacuate_stopped_actual_lrp(
            const LrpKey& key, const InstanceKey& instance) = 0;
    virtual base::Result<bool> evacuate_crashed_actual_lrp(
            const LrpKey& key, const InstanceKey& instance, std::string_view reason) = 0;

    virtual base::Result<DesiredLrp> desired_lrp(std::string_view process_guid) = 0;

    // False: it runs on this cell already.
    virtual base::Result<bool> start_task(std::string_view task_guid, std::string_view cell_id) = 0;
    virtual base::Result<Task> task(std::string_view task_guid) = 0;
    virtual base::Result<void> complete_task(const TaskOutcome& outcome) = 0;
    virtual base::Result<void> reject_task(std::string_view task_guid, std::string_view reason) = 0;

    // Those that name the cell, of every presence and state.
    virtual base::Result<std::vector<ActualLrp>> actual_lrps(std::string_view cell_id) = 0;
    virtual base::Result<std::vector<Task>> tasks(std::string_view cell_id) = 0;
    // Compares digest.hpp's digest of its records of the cell with `digest` ("": no comparison);
    // different: both lists.
    virtual base::Result<SyncAnswer> sync(std::string_view cell_id, std::string_view digest) = 0;

    // `owner`: one per run of a rep. Another owner's live lease is ResourceConflict.
    virtual base::Result<void> put_presence(
            const CellPresence& presence,
            std::string_view owner,
            std::chrono::milliseconds time_to_live) = 0;
    virtual base::Result<void> release_presence(
            std::string_view cell_id, std::string_view owner) = 0;
};

}  // namespace brain::api
