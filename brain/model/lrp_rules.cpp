// The life of an instance on one cell (lifecycle §4).
#include "brain/model/lrp_rules.hpp"

#include "base/fail.hpp"
#include "brain/model/draft.hpp"
#include "brain/model/task_rules.hpp"

namespace brain::model {

using api::ActualLrp;
using api::InstanceKey;
using api::LrpKey;
using api::LrpState;
using api::make_error;
using api::Presence;

bool may_become(const ActualLrp& from, const InstanceKey& instance, LrpState to) {
    const bool same = from.instance == instance;
    switch (from.state) {
        case LrpState::invalid:
            return false;
        case LrpState::unclaimed:
            return to == LrpState::unclaimed || to == LrpState::claimed || to == LrpState::running;
        case LrpState::claimed:
            if (to == LrpState::unclaimed) return instance.empty();
            // What runs is worth more than what another cell only promised.
            if (to == LrpState::running) return true;
            return same && (to == LrpState::claimed || to == LrpState::crashed);
        case LrpState::running:
            if (to == LrpState::unclaimed) return instance.empty();
            return same && to != LrpState::invalid;
        case LrpState::crashed:
            if (to == LrpState::unclaimed) return instance.empty();
            return same && (to == LrpState::claimed || to == LrpState::running);
    }
    return false;
}

base::Result<Outcome> claim_lrp(
        const Context& ctx, const LrpKey& key, const InstanceKey& instance) {
    TRY(check_instance(instance));
    Outcome out;
    Draft draft(ctx, out, ctx.world.group(key.process_guid, key.index));
    if (draft.presence_of(instance) == Presence::suspect) return out;
    const auto row = draft.ordinary();
    if (!row) return make_error(api::kResourceNotFound);
    if (row->key != key || !may_become(*row, instance, LrpState::claimed))
        return make_error(api::kCannotBeClaimed);
    if (row->state == LrpState::claimed) return out;
    ActualLrp next = *row;
    next.state = LrpState::claimed;
    next.instance = instance;
    next.net_info = {};
    next.placement_error.clear();
    next.since = ctx.now;
    draft.change(std::move(next));
    return out;
}

namespace {

base::Result<void> check_new_row(const Context& ctx, const LrpKey& key) {
    TRY(check_name("process_guid", key.process_guid));
    TRY(check_name("domain", key.domain));
    if (key.index < 0 || key.index >= ctx.limits.max_instances)
        return make_error(
                api::kInvalidRequest, base::format(
                                              "Invalid field: index: {} is not in 0..{}", key.index,
                                              ctx.limits.max_instances - 1));
    return base::ok;
}

}  // namespace

base::Result<Outcome> start_lrp(const Context& ctx, const api::RunningLrp& running) {
    TRY(check_instance(running.instance));
    Outcome out;
    Draft draft(ctx, out, ctx.world.group(running.key.process_guid, running.key.index));
    if (draft.presence_of(running.instance) == Presence::suspect) return out;
    const auto row = draft.ordinary();
    if (!row) {
        // A store that was emptied must not kill what runs.
        TRY(check_new_row(ctx, running.key));
        ActualLrp next = new_row(ctx, running.key);
        set_running(next, running);
        draft.create(std::move(next));
    } else {
        if (row->key != running.key || !may_become(*row, running.instance, LrpState::running))
            return make_error(api::kCannotBeStarted);
        if (!runs_as(*row, running)) {
            ActualLrp next = *row;
            set_running(next, running);
            if (row->state != LrpState::running) next.since = ctx.now;
            draft.change(std::move(next));
        }
    }
    draft.remove(Presence::evacuating);
    draft.remove(Presence::suspect);
    order_events(out);
    return out;
}

base::Result<Outcome> crash_lrp(
        const Context& ctx,
        const LrpKey& key,
        const InstanceKey& instance,
        std::string_view reason) {
    TRY(check_instance(instance));
    Outcome out;
    Draft draft(ctx, out, ctx.world.group(key.process_guid, key.index));
    if (draft.presence_of(instance) == Presence::suspect) {
        draft.remove(Presence::suspect);
        return out;
    }
    const auto row = draft.ordinary();
    if (!row) return make_error(api::kResourceNotFound);
    if (row->key != key || !may_become(*row, instance, LrpState::crashed))
        return make_error(api::kCannotBeCrashed);
    draft.crash(reason);
    // No longer desired: the row waits for the rule of orphans.
    if (draft.ordinary()->state == LrpState::unclaimed)
        offer(out, ctx.world.desired(key.process_guid), key.index);
    order_events(out);
    return out;
}

base::Result<Outcome> fail_lrp(
        const Context& ctx, const LrpKey& key, std::string_view placement_error) {
    Outcome out;
    Draft draft(ctx, out, ctx.world.group(key.process_guid, key.index));
    const auto row = draft.ordinary();
    if (!row) return make_error(api::kResourceNotFound);
    if (row->key != key || row->state != LrpState::unclaimed)
        return make_error(api::kCannotBeFailed);
    ActualLrp next = *row;
    next.placement_error = truncated(placement_error);
    next.since = ctx.now;
    draft.change(std::move(next));
    return out;
}

base::Result<Outcome> remove_lrp(
        const Context& ctx, const LrpKey& key, const InstanceKey& instance) {
    Outcome out;
    Draft draft(ctx, out, ctx.world.group(key.process_guid, key.index));
    const auto row = draft.ordinary();
    if (!row || (!instance.empty() && row->instance != instance))
        return make_error(api::kResourceNotFound);
    draft.remove(Presence::ordinary);
    return out;
}

base::Result<Outcome> retire_lrp(
        const Context& ctx, std::string_view process_guid, std::int32_t index) {
    Outcome out;
    Draft draft(ctx, out, ctx.world.group(process_guid, index));
    const auto row = draft.ordinary();
    if (!row) return make_error(api::kResourceNotFound);
    if (!row->instance.empty() && ctx.world.cell(row->instance.cell_id))
        out.stops.push_back({.key = row->key, .instance = row->instance});
    else
        draft.remove(Presence::ordinary);
    return out;
}

}  // namespace brain::model
