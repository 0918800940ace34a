#include "brain/model/verdict.hpp"

#include "brain/model/lrp_rules.hpp"

namespace brain::model {

using api::ActualLrp;
using api::LrpState;

api::ActualLrpGroup Slot::group() const {
    const auto get = [](const ActualPtr* row) { return row == nullptr ? ActualPtr() : *row; };
    return {.ordinary = get(ordinary), .evacuating = get(evacuating), .suspect = get(suspect)};
}

std::int64_t next_turn(std::int64_t from, std::int64_t interval, std::int64_t now) {
    interval = std::max<std::int64_t>(interval, 1);
    if (now <= from + interval) return from + interval + 1;
    // The last turn at or before `now`, then the one behind it.
    return from + ((now - 1 - from) / interval + 1) * interval + 1;
}

bool has_turn(std::int64_t from, std::int64_t interval, std::int64_t previous, std::int64_t now) {
    return next_turn(from, interval, std::min(previous, now)) <= now;
}

Judge::Judge(const ProcessView& process, const Surroundings& around, const Limits& limits)
    : process_(process), around_(around), limits_(limits) {
    if (!process.desired) return;
    desired_is_fresh_ = is_fresh(process.desired->domain);
    routes_ = internal_routes_of(*process.desired);
}

bool Judge::is_present(const ActualLrp& row) const {
    return around_.cells.contains(row.instance.cell_id);
}

bool Judge::is_fresh(std::string_view domain) const {
    return around_.fresh_domains.contains(domain);
}

// Step 9. By the rules, the suspect runs; in whatever state, it is replaced.
bool Judge::is_replaced(const Slot& slot) const {
    return slot.ordinary != nullptr && (*slot.ordinary)->state == LrpState::running &&
           is_present(**slot.ordinary);
}

// Without desired: only what a fresh domain says it does not want goes (steps 7, 8).
Verdict Judge::orphan(const Slot& slot, const ActualLrp* suspect) const {
    Verdict out;
    if (suspect != nullptr) {
        out.drop_suspect = is_fresh(suspect->key.domain);
        if (!out.drop_suspect && is_present(*suspect)) {
            out.deed = Deed::promote;
            return out;
        }
    }
    if (slot.ordinary != nullptr && is_fresh((*slot.ordinary)->key.domain)) out.deed = Deed::retire;
    return out;
}

// An index that is too many, in a fresh domain. A suspect that nobody will replace would stay for
// ever; one whose cell is back has a container to stop.
Verdict Judge::surplus(const Slot& slot, const ActualLrp* suspect) const {
    Verdict out;
    if (suspect != nullptr && is_present(*suspect)) {
        out.deed = Deed::promote;
        out.stop_promoted = true;
        return out;
    }
    out.drop_suspect = suspect != nullptr;
    if (slot.ordinary != nullptr) out.deed = Deed::retire;
    return out;
}

Verdict Judge::wanted(const Slot& slot, const ActualLrp* suspect) const {
    Verdict out;
    if (suspect != nullptr && is_present(*suspect))
        out.deed = Deed::promote;
    else if (slot.ordinary != nullptr)
        out.deed = of_ordinary(**slot.ordinary, suspect != nullptr);
    else if (slot.index < process_.desired->instances)
        out.deed = Deed::create;
    return out;
}

Verdict Judge::judge(const Slot& slot) const {
    const bool replaced = slot.suspect != nullptr && is_replaced(slot);
    const auto* suspect = slot.suspect == nullptr || replaced ? nullptr : slot.suspect->get();
    Verdict out;
    if (!process_.desired)
        out = orphan(slot, suspect);
    else if (slot.index >= process_.desired->instances && desired_is_fresh_)
        out = surplus(slot, suspect);
    else
        out = wanted(slot, suspect);
    out.drop_suspect = out.drop_suspect || replaced;
    out.prune_evacuating = slot.evacuating != nullptr && !is_present(**slot.evacuating);
    return out;
}

Deed Judge::of_ordinary(const ActualLrp& row, bool has_suspect) const {
    switch (row.state) {
        case LrpState::invalid:
            return Deed::none;
        case LrpState::unclaimed:
            if (row.key.domain != process_.desired->domain) return Deed::renew;
            return has_turn(row.since, limits_.stale_unclaimed_ns, around_.previous, around_.now)
                           ? Deed::offer
                           : Deed::none;
        case LrpState::crashed: {
            if (row.key.domain != process_.desired->domain) return Deed::renew;
            const auto at = restart_at(row);
            return at && *at <= around_.now ? Deed::restart : Deed::none;
        }
        case LrpState::claimed:
        case LrpState::running:
            if (!is_present(row)) return has_suspect ? Deed::unclaim : Deed::replace;
            return row.state == LrpState::running && differs(row) ? Deed::update : Deed::none;
    }
    return Deed::none;
}

namespace {

bool same_hostnames(
        const std::vector<api::InternalRoute>& a, const std::vector<api::InternalRoute>& b) {
    if (a == b) return true;
    const auto sorted = [](const std::vector<api::InternalRoute>& routes) {
        std::set<std::string> out;
        for (const auto& route : routes) out.insert(route.hostname);
        return out;
    };
    return sorted(a) == sorted(b);
}

}  // namespace

bool Judge::differs(const ActualLrp& row) const {
    return !same_hostnames(row.internal_routes, routes_) ||
           row.metric_tags.size() != process_.desired->definition.metric_tags.size() ||
           row.metric_tags != resolve_tags(*process_.desired, row);
}

// lifecycle §4.3: the wait doubles from one interval up to 32 of them, and ends for good.
std::optional<std::int64_t> Judge::restart_at(const ActualLrp& row) const {
    constexpr std::int32_t kMaxDoublings = 5;
    if (row.crash_count >= limits_.max_restarts) return std::nullopt;
    if (row.crash_count < limits_.immediate_restarts) return row.since;
    const auto doublings = std::min(row.crash_count - limits_.immediate_restarts, kMaxDoublings);
    return row.since + (limits_.crash_backoff_ns << doublings);
}

std::optional<std::int64_t> Judge::due(const Slot& slot) const {
    const auto verdict = judge(slot);
    const bool changes = verdict.prune_evacuating || verdict.drop_suspect;
    const std::int64_t again = around_.now + limits_.stale_unclaimed_ns;
    const auto* row = slot.ordinary == nullptr ? nullptr : slot.ordinary->get();
    std::optional<std::int64_t> at;
    switch (verdict.deed) {
        case Deed::none:
            if (row == nullptr || !process_.desired) break;
            if (row->state == LrpState::crashed) at = restart_at(*row);
            [[fallthrough]];
        case Deed::offer:
            if (row->state == LrpState::unclaimed)
                at = next_turn(row->since, limits_.stale_unclaimed_ns, around_.now);
            break;
        case Deed::update:
            at = again;
            break;
        case Deed::retire:
            at = row->instance.empty() || !is_present(*row) ? around_.now : again;
            break;
        case Deed::create:
        case Deed::renew:
        case Deed::replace:
        case Deed::unclaim:
        case Deed::promote:
        case Deed::restart:
            at = around_.now;
            break;
    }
    return changes ? around_.now : at;
}

}  // namespace brain::model
