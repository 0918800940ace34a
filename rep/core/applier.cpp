#include "rep/core/applier.hpp"

#include "base/fail.hpp"
#include "rep/plan/convert.hpp"
#include "rep/plan/identity.hpp"

namespace rep::core {

using brain::api::LrpKey;
using executor::api::Container;
using plan::Answer;
using plan::Call;
using plan::Operation;
using plan::Then;

std::string overdue_line(std::string_view cell_id, std::string_view guid) {
    return base::format("Cell {} reached its evacuation timeout for instance {}", cell_id, guid);
}

void Applier::note(std::string_view what, const std::string& guid, const base::Error& error) const {
    if (config_.on_note) config_.on_note({.what = std::string(what), .guid = guid, .error = error});
}

brain::api::InstanceKey Applier::instance(const std::string& guid) const {
    return {.instance_guid = guid, .cell_id = config_.cell.id};
}

Answer Applier::heard(
        std::string_view what, const std::string& guid, const base::Result<void>& result) {
    const auto answer = plan::answer_of(result);
    if (answer != Answer::accepted) note(what, guid, result.error());
    return answer;
}

bool Applier::apply(const Operation& operation) {
    const auto c = executor_.get(operation.guid);
    if (!c && c.error().kind != base::Errc::not_found) {
        note("get container", operation.guid, c.error());
        return false;
    }
    switch (operation.kind) {
        case Operation::Kind::container:
            return !c || container(*c);
        case Operation::Kind::residual_lrp:
            // Found after all: a snapshot was older than the reservation.
            if (c && (operation.ordinary || operation.suspect)) return container(*c);
            if (c && evacuating_) return container(*c);
            return residual_lrp(operation);
        case Operation::Kind::residual_task:
            return c ? container(*c) : residual(operation);
        case Operation::Kind::destroy:
            return !c || destroy(operation.guid);
        case Operation::Kind::give_up:
            return !c || give_up(operation, *c);
    }
    return true;
}

bool Applier::container(const Container& c) {
    const bool evacuating = evacuating_;
    const auto call = plan::call_for(c, evacuating);
    if (call == Call::nothing) return true;
    LrpKey key;
    if (plan::lifecycle_of(c) == plan::Lifecycle::lrp) {
        auto read = plan::lrp_key_of(c);
        if (!read) {
            // Nobody can ever ask for it again.
            note("read the tags of a container", c.guid, read.error());
            return destroy(c.guid);
        }
        key = std::move(*read);
    }
    return follow(plan::after(call, c.state, ask(call, c, key, evacuating)), c, key);
}

Answer Applier::ask(Call call, const Container& c, const LrpKey& key, bool evacuating) {
    if (evacuating && plan::lifecycle_of(c) == plan::Lifecycle::lrp)
        return ask_evacuation(call, c, key);
    switch (call) {
        case Call::claim:
            return heard(
                    "claim_actual_lrp", c.guid, brain_.claim_actual_lrp(key, instance(c.guid)));
        case Call::start:
            return heard(
                    "start_actual_lrp", c.guid,
                    brain_.start_actual_lrp(plan::running_lrp(c, key, config_.cell)));
        case Call::remove:
            return heard(
                    "remove_actual_lrp", c.guid, brain_.remove_actual_lrp(key, instance(c.guid)));
        case Call::crash:
            return heard(
                    "crash_actual_lrp", c.guid,
                    brain_.crash_actual_lrp(key, instance(c.guid), c.run_result.failure_reason));
        case Call::start_task: {
            const auto started = brain_.start_task(c.guid, config_.cell.id);
            return heard(
                    "start_task", c.guid,
                    started ? base::Result<void>() : base::Result<void>(started.error()));
        }
        case Call::finish_task:
            return finish_task(c);
        case Call::nothing:
        case Call::evacuate_claimed:
        case Call::evacuate_running:
        case Call::evacuate_stopped:
        case Call::evacuate_crashed:
            break;
    }
    return Answer::accepted;
}

void Applier::say_once(const std::string& guid, const std::string& line) {
    {
        const std::lock_guard lock(mutex_);
        if (!said_[guid].insert(line).second) return;
    }
    executor_.say(guid, line);
}

Answer Applier::ask_evacuation(Call call, const Container& c, const LrpKey& key) {
    const auto ours = instance(c.guid);
    say_once(
            c.guid,
            base::format(
                    "Cell {} requesting replacement for instance {}", config_.cell.id, c.guid));
    base::Result<bool> keep = true;
    switch (call) {
        case Call::evacuate_claimed:
            keep = brain_.evacuate_claimed_actual_lrp(key, ours);
            break;
        case Call::evacuate_running:
            keep = brain_.evacuate_running_actual_lrp(plan::running_lrp(c, key, config_.cell));
            break;
        case Call::evacuate_stopped:
            keep = brain_.evacuate_stopped_actual_lrp(key, ours);
            break;
        case Call::evacuate_crashed:
            keep = brain_.evacuate_crashed_actual_lrp(key, ours, c.run_result.failure_reason);
            break;
        case Call::nothing:
        case Call::claim:
        case Call::start:
        case Call::remove:
        case Call::crash:
        case Call::start_task:
        case Call::finish_task:
            break;
    }
    if (!keep) note("evacuate", c.guid, keep.error());
    return plan::answer_of(keep);
}

bool Applier::follow(Then then, const Container& c, const LrpKey& key) {
    switch (then) {
        case Then::nothing:
            return true;
        case Then::run:
            return plan::lifecycle_of(c) == plan::Lifecycle::task ? run_task(c) : run_lrp(c, key);
        case Then::stop: {
            const auto stopped = executor_.stop(c.guid);
            if (stopped || stopped.error().kind == base::Errc::not_found) return true;
            note("stop", c.guid, stopped.error());
            return false;
        }
        case Then::destroy:
            return destroy(c.guid);
        case Then::retry:
            return false;
    }
    return true;
}

bool Applier::destroy(const std::string& guid) {
    const auto removed = executor_.remove(guid);
    if (removed || removed.error().kind == base::Errc::not_found) {
        const std::lock_guard lock(mutex_);
        said_.erase(guid);
        result_since_.erase(guid);
        return true;
    }
    note("remove container", guid, removed.error());
    return false;
}

bool Applier::residual(const Operation& operation) {
    const auto answer = complete(
            {.task_guid = operation.guid,
             .cell_id = config_.cell.id,
             .failed = true,
             .failure_reason = std::string(kNoTaskContainer),
             .result = std::string(kNoTaskContainer)});
    return answer != Answer::away;
}

bool Applier::residual_lrp(const Operation& operation) {
    const auto ours = instance(operation.guid);
    bool done = true;
    const auto told = [&](std::string_view what, const base::Result<void>& result) {
        if (heard(what, operation.guid, result) == Answer::away) done = false;
    };
    if (operation.ordinary)
        told("remove_actual_lrp", brain_.remove_actual_lrp(operation.key, ours));
    if (operation.evacuating)
        told("remove_evacuating_actual_lrp",
             brain_.remove_evacuating_actual_lrp(operation.key, ours));
    // Not "remove", which is for ordinary records only; and promoted it would cost its
    // replacement's place (lifecycle §4.2, §5 step 10).
    if (operation.suspect)
        told("crash_actual_lrp",
             brain_.crash_actual_lrp(operation.key, ours, "container does not exist"));
    return done;
}

bool Applier::give_up(const Operation& operation, const Container& c) {
    const bool task = plan::lifecycle_of(c) == plan::Lifecycle::task;
    // What it left comes first. Behind the hard end a result that the brain cannot take now stays
    // with its container, for the next run of the cell; an LRP has none.
    if (c.state == executor::api::State::completed && (task || operation.evacuating))
        return container(c);
    say_once(c.guid, overdue_line(config_.cell.id, c.guid));
    if (task) {
        (void)complete(
                {.task_guid = c.guid,
                 .cell_id = config_.cell.id,
                 .failed = true,
                 .failure_reason = std::string(kEvacuatedTask),
                 .result = {}});
    } else if (operation.evacuating) {
        if (const auto key = plan::lrp_key_of(c); key)
            (void)heard(
                    "remove_evacuating_actual_lrp", c.guid,
                    brain_.remove_evacuating_actual_lrp(*key, instance(c.guid)));
    }
    return destroy(c.guid);
}

}  // namespace rep::core
