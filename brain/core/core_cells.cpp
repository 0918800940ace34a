// What cells ask of the core: each call one rule of brain/model.
#include "base/fail.hpp"
#include "brain/core/core.hpp"
#include "brain/model/lrp_rules.hpp"
#include "brain/model/task_rules.hpp"

namespace brain::core {

using model::Context;
using model::Outcome;

namespace {

// The rule of an evacuation, its answer put where the caller looks for it.
template <class Evacuate>
Reign::Rule answering(bool& keep, Evacuate evacuate) {
    return [&keep, evacuate](const Context& ctx) -> base::Result<Outcome> {
        auto evacuated = evacuate(ctx);
        if (!evacuated) return evacuated.error();
        keep = evacuated->keep_container;
        return std::move(evacuated->outcome);
    };
}

template <class Record>
std::vector<Record> copies(const std::vector<std::shared_ptr<const Record>>& records) {
    std::vector<Record> copied;
    copied.reserve(records.size());
    for (const auto& record : records) copied.push_back(*record);
    return copied;
}

}  // namespace

base::Result<void> Core::claim_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    return decide([&](const Context& ctx) { return model::claim_lrp(ctx, key, instance); });
}

base::Result<void> Core::start_actual_lrp(const api::RunningLrp& running) {
    return decide([&](const Context& ctx) { return model::start_lrp(ctx, running); });
}

base::Result<void> Core::crash_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance, std::string_view reason) {
    return decide([&](const Context& ctx) { return model::crash_lrp(ctx, key, instance, reason); });
}

base::Result<void> Core::remove_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    return decide([&](const Context& ctx) { return model::remove_lrp(ctx, key, instance); });
}

base::Result<void> Core::remove_evacuating_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    return decide(
            [&](const Context& ctx) { return model::remove_evacuating_lrp(ctx, key, instance); });
}

base::Result<bool> Core::evacuate_claimed_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    bool keep = false;
    TRY(decide(answering(keep, [&](const Context& ctx) {
        return model::evacuate_claimed_lrp(ctx, key, instance);
    })));
    return keep;
}

base::Result<bool> Core::evacuate_running_actual_lrp(const api::RunningLrp& running) {
    bool keep = false;
    TRY(decide(answering(
            keep, [&](const Context& ctx) { return model::evacuate_running_lrp(ctx, running); })));
    return keep;
}

base::Result<bool> Core::evacuate_stopped_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    bool keep = false;
    TRY(decide(answering(keep, [&](const Context& ctx) {
        return model::evacuate_stopped_lrp(ctx, key, instance);
    })));
    return keep;
}

base::Result<bool> Core::evacuate_crashed_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance, std::string_view reason) {
    bool keep = false;
    TRY(decide(answering(keep, [&](const Context& ctx) {
        return model::evacuate_crashed_lrp(ctx, key, instance, reason);
    })));
    return keep;
}

base::Result<api::DesiredLrp> Core::desired_lrp(std::string_view process_guid) {
    const auto desired = TRY(find_desired_lrp(process_guid));
    return *desired;
}

base::Result<bool> Core::start_task(std::string_view task_guid, std::string_view cell_id) {
    bool should_start = false;
    TRY(decide([&](const Context& ctx) -> base::Result<Outcome> {
        auto started = model::start_task(ctx, task_guid, cell_id);
        if (!started) return started.error();
        should_start = started->should_start;
        return std::move(started->outcome);
    }));
    return should_start;
}

base::Result<api::Task> Core::task(std::string_view task_guid) {
    const auto found = TRY(find_task(task_guid));
    return *found;
}

base::Result<void> Core::complete_task(const api::TaskOutcome& outcome) {
    return decide([&](const Context& ctx) { return model::complete_task(ctx, outcome); });
}

base::Result<void> Core::reject_task(std::string_view task_guid, std::string_view reason) {
    return decide([&](const Context& ctx) { return model::reject_task(ctx, task_guid, reason); });
}

base::Result<std::vector<api::ActualLrp>> Core::actual_lrps(std::string_view cell_id) {
    const auto current = TRY(reign());
    const auto rows = TRY(
            current->read([&](const model::World& world) { return world.actuals_on(cell_id); }));
    return copies(rows);
}

base::Result<std::vector<api::Task>> Core::tasks(std::string_view cell_id) {
    const auto current = TRY(reign());
    const auto found =
            TRY(current->read([&](const model::World& world) { return world.tasks_on(cell_id); }));
    return copies(found);
}

base::Result<api::SyncAnswer> Core::sync(std::string_view cell_id, std::string_view digest) {
    struct Seen {
        bool unchanged = false;
        std::vector<api::ActualPtr> lrps;
        std::vector<api::TaskPtr> tasks;
    };

    const auto current = TRY(reign());
    const auto seen = TRY(current->read([&](const model::World& world) -> Seen {
        if (!digest.empty() && world.digest(cell_id) == digest) return {.unchanged = true};
        return {.unchanged = false,
                .lrps = world.actuals_on(cell_id),
                .tasks = world.tasks_on(cell_id)};
    }));
    return api::SyncAnswer{
            .unchanged = seen.unchanged, .lrps = copies(seen.lrps), .tasks = copies(seen.tasks)};
}

base::Result<void> Core::put_presence(
        const api::CellPresence& presence,
        std::string_view owner,
        std::chrono::milliseconds time_to_live) {
    const auto current = TRY(reign());
    return current->put_presence(presence, owner, time_to_live);
}

base::Result<void> Core::release_presence(std::string_view cell_id, std::string_view owner) {
    const auto current = TRY(reign());
    return current->release_presence(cell_id, owner);
}

// One durable write for a whole round's failures (auction §8). Refusals are expected: a record may
// have moved on since.
void Core::auction_failed(
        const std::vector<auctioneer::FailedLrp>& lrps,
        const std::vector<auctioneer::FailedTask>& tasks) {
    const auto current = reign();
    if (!current) return;
    std::vector<Reign::Rule> rules;
    rules.reserve(lrps.size() + tasks.size());
    for (const auto& failed : lrps)
        rules.emplace_back([&failed](const Context& ctx) {
            return model::fail_lrp(ctx, failed.key, failed.placement_error);
        });
    for (const auto& failed : tasks)
        rules.emplace_back([&failed](const Context& ctx) {
            return model::reject_task(ctx, failed.task_guid, failed.reason);
        });
    // Not durable: convergence offers them again, and the auctioneer fails them again.
    (void)(*current)->decide_all(rules);
}

}  // namespace brain::core
