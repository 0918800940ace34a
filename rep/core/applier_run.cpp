// The two ends of work: running what was reserved, and handing in what a task left (executor-rep
// §17.4, §17.5).
#include "rep/core/applier.hpp"
#include "rep/core/result_file.hpp"
#include "rep/plan/convert.hpp"
#include "rep/plan/identity.hpp"

namespace rep::core {

using brain::api::LrpKey;
using executor::api::Container;
using plan::Answer;

namespace {

// Not the container's fault: it is tried again with the same reservation.
bool executor_away(const base::Error& error) {
    return error.kind == base::Errc::unavailable || error.kind == base::Errc::timeout ||
           error.kind == base::Errc::cancelled;
}

}  // namespace

bool Applier::run_lrp(const Container& c, const LrpKey& key) {
    const auto desired = brain_.desired_lrp(key.process_guid);
    if (!desired) {
        note("desired_lrp", c.guid, desired.error());
        if (plan::answer_of(base::Result<void>(desired.error())) == Answer::away) return false;
        if (heard("remove_actual_lrp", c.guid, brain_.remove_actual_lrp(key, instance(c.guid))) ==
            Answer::away)
            return false;
        return destroy(c.guid);
    }
    const auto request = plan::run_request(*desired, key, c.guid, config_.cell);
    if (!request) {
        note("make the run request", c.guid, request.error());
        // A crash, so that its back-off applies; a removed record would come back at once.
        if (heard("crash_actual_lrp", c.guid,
                  brain_.crash_actual_lrp(key, instance(c.guid), request.error().text)) ==
            Answer::away)
            return false;
        return destroy(c.guid);
    }
    const auto running = executor_.run(*request);
    if (running) return true;
    note("run container", c.guid, running.error());
    if (executor_away(running.error())) return false;
    if (heard("remove_actual_lrp", c.guid, brain_.remove_actual_lrp(key, instance(c.guid))) ==
        Answer::away)
        return false;
    return destroy(c.guid);
}

bool Applier::run_task(const Container& c) {
    const auto task = brain_.task(c.guid);
    if (!task) {
        note("task", c.guid, task.error());
        if (plan::answer_of(base::Result<void>(task.error())) == Answer::away) return false;
        return destroy(c.guid);
    }
    const auto request = plan::run_request(*task, config_.cell);
    if (request) {
        const auto running = executor_.run(*request);
        if (running) return true;
        note("run container", c.guid, running.error());
        if (executor_away(running.error())) return false;
    } else {
        note("make the run request", c.guid, request.error());
    }
    if (complete(
                {.task_guid = c.guid,
                 .cell_id = config_.cell.id,
                 .failed = true,
                 .failure_reason = std::string(kRunRefused),
                 .result = {}}) == Answer::away)
        return false;
    return destroy(c.guid);
}

Answer Applier::complete(const brain::api::TaskOutcome& outcome) {
    const auto first = brain_.complete_task(outcome);
    if (first || brain::api::error_name(first.error()) != brain::api::kInvalidStateTransition)
        return heard("complete_task", outcome.task_guid, first);
    note("complete_task", outcome.task_guid, first.error());
    // Once more as a failure, for a record that would rather be anything than running (17.5); most
    // were cancelled and refuse this, too.
    auto failed = outcome;
    failed.failed = true;
    failed.failure_reason = kBadTransition;
    failed.result.clear();
    return plan::answer_of(brain_.complete_task(failed));
}

bool Applier::try_result_again(const std::string& guid) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    // Time, not attempts: how often it is tried says nothing of how long a backend restarts.
    const auto since = result_since_.try_emplace(guid, now).first->second;
    return now - since < config_.times.result;
}

Answer Applier::finish_task(const Container& c) {
    const auto& end = c.run_result;
    if (end.failed && end.retryable)
        return heard("reject_task", c.guid, brain_.reject_task(c.guid, end.failure_reason));
    brain::api::TaskOutcome outcome{
            .task_guid = c.guid,
            .cell_id = config_.cell.id,
            .failed = end.failed,
            .failure_reason = end.failure_reason,
            .result = {}};
    const auto path = plan::tag(c, plan::kResultFileTag);
    if (path.empty()) return complete(outcome);
    auto tar = executor_.files(c.guid, path);
    auto result = tar ? read_result(**tar) : base::Result<std::string>(tar.error());
    if (result) {
        outcome.result = std::move(*result);
    } else {
        note("read the result", c.guid, result.error());
        if (executor_away(result.error()) && try_result_again(c.guid)) return Answer::away;
        // A task that failed anyway keeps its own reason.
        if (!outcome.failed) outcome.failure_reason = kNoResult;
        outcome.failed = true;
    }
    return complete(outcome);
}

}  // namespace rep::core
