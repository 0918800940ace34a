// The pass over processes (lifecycle §5).
#include "brain/model/converge.hpp"

#include "brain/model/desired_rules.hpp"
#include "brain/model/draft.hpp"
#include "brain/model/lrp_rules.hpp"
#include "brain/model/verdict.hpp"

namespace brain::model {

using api::ActualLrp;
using api::LrpState;
using api::Presence;

Surroundings survey(const World& world, std::int64_t now) {
    Surroundings out;
    out.now = now;
    for (const auto& cell : world.cells()) out.cells.insert(cell->presence.cell_id);
    for (const auto& domain : world.domains())
        if (is_fresh(*domain, now)) out.fresh_domains.insert(domain->name);
    return out;
}

bool in_harmony(const ProcessView& process, const Surroundings& around, const Limits& limits) {
    const Judge judge(process, around, limits);
    bool harmony = true;
    for_each_slot(process, [&](const Slot& slot) {
        harmony = judge.judge(slot).nothing();
        return harmony;
    });
    return harmony;
}

namespace {

void promote(Draft& draft, const Verdict& verdict, Outcome& out) {
    draft.remove(Presence::ordinary);
    ActualLrp next = *draft.row(Presence::suspect);
    next.presence = Presence::ordinary;
    draft.move(Presence::suspect, std::move(next));
    const auto& row = *draft.ordinary();
    if (verdict.stop_promoted) out.stops.push_back({.key = row.key, .instance = row.instance});
}

void retire(const Judge& judge, Draft& draft, Outcome& out) {
    const auto row = draft.ordinary();
    if (!row->instance.empty() && judge.is_present(*row))
        out.stops.push_back({.key = row->key, .instance = row->instance});
    else
        draft.remove(Presence::ordinary);
}

void do_deed(
        const ProcessView& process,
        const Judge& judge,
        const Slot& slot,
        const Verdict& verdict,
        Draft& draft,
        Outcome& out) {
    const auto& desired = process.desired;
    const auto create = [&] {
        draft.create_unclaimed(
                {.process_guid = process.process_guid,
                 .index = slot.index,
                 .domain = desired->domain});
    };
    switch (verdict.deed) {
        case Deed::none:
            return;
        case Deed::create:
            create();
            break;
        case Deed::renew:
            draft.remove(Presence::ordinary);
            create();
            break;
        case Deed::replace: {
            ActualLrp next = *draft.ordinary();
            next.presence = Presence::suspect;
            draft.leave_behind_unclaimed(std::move(next), false);
            break;
        }
        case Deed::unclaim:
            draft.unclaim();
            return;  // offered as a stale one, not in this pass (lifecycle §5.1)
        case Deed::promote:
            return promote(draft, verdict, out);
        case Deed::retire:
            return retire(judge, draft, out);
        case Deed::offer:
            break;
        case Deed::restart:
            draft.restart();
            break;
        case Deed::update:
            out.updates.push_back(
                    {.key = draft.ordinary()->key,
                     .instance = draft.ordinary()->instance,
                     .internal_routes = judge.routes(),
                     .metric_tags = resolve_tags(*desired, *draft.ordinary())});
            return;
    }
    offer(out, desired, slot.index);
}

void note(
        Findings& findings,
        const ProcessView& process,
        const Judge& judge,
        const Slot& slot,
        const Verdict& verdict) {
    findings.missing += verdict.deed == Deed::create;
    findings.extra += verdict.deed == Deed::retire || verdict.stop_promoted;
    if (!process.desired) return;
    for (const auto* row : {slot.ordinary, slot.evacuating, slot.suspect})
        if (row != nullptr && !(*row)->instance.empty() && !judge.is_present(**row))
            findings.missing_cells.insert((*row)->instance.cell_id);
}

}  // namespace

Outcome plan_process(
        const Context& ctx,
        const ProcessView& process,
        const Surroundings& around,
        Findings& findings) {
    Outcome out;
    const Judge judge(process, around, ctx.limits);
    for_each_slot(process, [&](const Slot& slot) {
        const auto verdict = judge.judge(slot);
        note(findings, process, judge, slot, verdict);
        if (verdict.nothing()) return true;
        Draft draft(ctx, out, slot.group());
        if (verdict.prune_evacuating) draft.remove(Presence::evacuating);
        if (verdict.drop_suspect) draft.remove(Presence::suspect);
        do_deed(process, judge, slot, verdict, draft, out);
        return true;
    });
    order_events(out);
    return out;
}

Outcome plan_domain(const DomainPtr& domain, std::int64_t now) {
    Outcome out;
    if (domain->expires_at != 0 && domain->expires_at <= now)
        out.changes.emplace_back(Changed<DomainPtr>{.before = domain, .after = nullptr});
    return out;
}

namespace {

void earlier(std::optional<std::int64_t>& first, std::optional<std::int64_t> at) {
    if (at && (!first || *at < *first)) first = at;
}

}  // namespace

std::optional<std::int64_t> next_due(
        const ProcessView& process, const Surroundings& around, const Limits& limits) {
    const Judge judge(process, around, limits);
    std::optional<std::int64_t> first;
    for_each_slot(process, [&](const Slot& slot) {
        earlier(first, judge.due(slot));
        return true;
    });
    return first;
}

std::optional<std::int64_t> next_due(const Domain& domain) {
    if (domain.expires_at == 0) return std::nullopt;
    return domain.expires_at;
}

}  // namespace brain::model
