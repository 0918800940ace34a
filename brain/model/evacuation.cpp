// What an evacuating cell asks (lifecycle §6).
#include "brain/model/draft.hpp"
#include "brain/model/lrp_rules.hpp"

namespace brain::model {

using api::ActualLrp;
using api::InstanceKey;
using api::LrpKey;
using api::LrpState;
using api::make_error;
using api::Presence;
using api::UpdateStrategy;

namespace {

void unclaim_and_offer(const Context& ctx, Draft& draft, Outcome& out) {
    const auto key = draft.ordinary()->key;
    draft.unclaim();
    offer(out, ctx.world.desired(key.process_guid), key.index);
}

// The answers that never keep the container: what happens to an ordinary row differs, any other
// row of the instance goes.
template <class F>
base::Result<Evacuated> let_go(
        const Context& ctx, const LrpKey& key, const InstanceKey& instance, F&& ordinary) {
    TRY(check_instance(instance));
    Evacuated answer;
    Draft draft(ctx, answer.outcome, ctx.world.group(key.process_guid, key.index));
    const auto caller = draft.presence_of(instance);
    if (!caller) return make_error(api::kResourceNotFound);
    if (*caller == Presence::ordinary)
        ordinary(draft, answer.outcome);
    else
        draft.remove(*caller);
    order_events(answer.outcome);
    return answer;
}

// The ordinary rows of 0..N-1.
bool all_run(const Context& ctx, const api::DesiredLrp& desired) {
    std::int32_t running = 0;
    for (const auto& row : ctx.world.process(desired.process_guid).rows)
        running += row->presence == Presence::ordinary && row->state == LrpState::running &&
                   row->key.index < desired.instances;
    return running == desired.instances;
}

// RECREATE: no second instance beside the old one, and one index at a time.
bool recreate(
        const Context& ctx,
        const api::DesiredLrp& desired,
        std::optional<Presence> caller,
        Draft& draft,
        Outcome& out) {
    if (!caller) return false;
    if (*caller != Presence::ordinary) {
        draft.remove(*caller);
        return false;
    }
    if (!all_run(ctx, desired)) return true;
    unclaim_and_offer(ctx, draft, out);
    return false;
}

ActualLrp evacuating_copy(const Context& ctx, const Draft& draft, const api::RunningLrp& running) {
    ActualLrp copy = new_row(ctx, draft.ordinary()->key);
    set_running(copy, running);
    copy.presence = Presence::evacuating;
    return copy;
}

// ROLLING, by one who is unknown or evacuates already: creates or refreshes its row.
bool hold_slot(const Context& ctx, const api::RunningLrp& running, Draft& draft) {
    const auto row = draft.row(Presence::evacuating);
    if (!row) {
        draft.create(evacuating_copy(ctx, draft, running));
        return true;
    }
    if (row->instance != running.instance) return false;
    if (runs_as(*row, running)) return true;
    ActualLrp next = *row;
    set_running(next, running);
    draft.change(std::move(next));
    return true;
}

bool roll(
        const Context& ctx,
        const api::RunningLrp& running,
        std::optional<Presence> caller,
        Draft& draft,
        Outcome& out) {
    if (!caller || *caller == Presence::evacuating) return hold_slot(ctx, running, draft);
    // A second evacuation in a row: the older instance gives its slot up.
    draft.remove(Presence::evacuating);
    auto copy = evacuating_copy(ctx, draft, running);
    if (*caller == Presence::suspect) {
        draft.move(Presence::suspect, std::move(copy));
        return true;
    }
    draft.leave_behind_unclaimed(std::move(copy), true);
    offer(out, ctx.world.desired(running.key.process_guid), running.key.index);
    return true;
}

}  // namespace

base::Result<Evacuated> evacuate_claimed_lrp(
        const Context& ctx, const LrpKey& key, const InstanceKey& instance) {
    return let_go(ctx, key, instance, [&](Draft& draft, Outcome& out) {
        unclaim_and_offer(ctx, draft, out);
    });
}

base::Result<Evacuated> evacuate_stopped_lrp(
        const Context& ctx, const LrpKey& key, const InstanceKey& instance) {
    return let_go(
            ctx, key, instance, [](Draft& draft, Outcome&) { draft.remove(Presence::ordinary); });
}

base::Result<Evacuated> evacuate_crashed_lrp(
        const Context& ctx,
        const LrpKey& key,
        const InstanceKey& instance,
        std::string_view reason) {
    // Offered by convergence, not at once.
    return let_go(ctx, key, instance, [&](Draft& draft, Outcome&) { draft.crash(reason); });
}

base::Result<Evacuated> evacuate_running_lrp(const Context& ctx, const api::RunningLrp& running) {
    TRY(check_instance(running.instance));
    Evacuated answer;
    auto& out = answer.outcome;
    Draft draft(ctx, out, ctx.world.group(running.key.process_guid, running.key.index));
    if (draft.empty()) return answer;
    const auto caller = draft.presence_of(running.instance);
    const auto ordinary = draft.ordinary();
    const bool replaced =
            ordinary && caller != Presence::ordinary &&
            (ordinary->state == LrpState::running || ordinary->state == LrpState::crashed);
    const auto desired = ctx.world.desired(running.key.process_guid);
    if (!ordinary || replaced || !desired) {
        if (caller == Presence::evacuating) draft.remove(Presence::evacuating);
        return answer;
    }
    answer.keep_container = desired->update_strategy == UpdateStrategy::recreate
                                    ? recreate(ctx, *desired, caller, draft, out)
                                    : roll(ctx, running, caller, draft, out);
    order_events(out);
    return answer;
}

base::Result<Outcome> remove_evacuating_lrp(
        const Context& ctx, const LrpKey& key, const InstanceKey& instance) {
    TRY(check_instance(instance));
    Outcome out;
    Draft draft(ctx, out, ctx.world.group(key.process_guid, key.index));
    const auto row = draft.row(Presence::evacuating);
    if (!row || row->instance != instance) return make_error(api::kResourceNotFound);
    draft.remove(Presence::evacuating);
    return out;
}

}  // namespace brain::model
