#include "brain/model/draft.hpp"

#include "base/fail.hpp"
#include "brain/api/errors.hpp"
#include "brain/model/task_rules.hpp"

#include <algorithm>

namespace brain::model {

using api::ActualLrp;
using api::Event;
using api::EventKind;
using api::LrpState;
using api::Presence;

Draft::Draft(const Context& ctx, Outcome& out, const api::ActualLrpGroup& group)
    : ctx_(ctx), out_(out), rows_{group.ordinary, group.evacuating, group.suspect} {}

bool Draft::empty() const {
    return std::ranges::all_of(rows_, [](const auto& row) { return row == nullptr; });
}

std::optional<Presence> Draft::presence_of(const api::InstanceKey& instance) const {
    for (std::size_t i = 0; i < rows_.size(); ++i)
        if (rows_[i] && rows_[i]->instance == instance) return static_cast<Presence>(i);
    return std::nullopt;
}

void Draft::record(ActualPtr before, ActualPtr after) {
    if (before) slot(before->presence).reset();
    if (after) slot(after->presence) = after;
    out_.changes.emplace_back(
            Changed<ActualPtr>{.before = std::move(before), .after = std::move(after)});
}

void Draft::tell(EventKind kind, ActualPtr before, ActualPtr after) {
    Event event;
    event.kind = kind;
    event.actual_before = std::move(before);
    event.actual_after = std::move(after);
    out_.events.push_back(std::move(event));
}

void Draft::create(ActualLrp row) {
    const auto after = std::make_shared<const ActualLrp>(std::move(row));
    record(nullptr, after);
    tell(EventKind::actual_lrp_created, nullptr, after);
}

void Draft::create_unclaimed(const api::LrpKey& key) {
    create(new_row(ctx_, key));
}

void Draft::remove(Presence presence) {
    const auto before = row(presence);
    if (!before) return;
    record(before, nullptr);
    tell(EventKind::actual_lrp_removed, before, nullptr);
}

void Draft::change(ActualLrp after) {
    const auto before = row(after.presence);
    after.modification_tag.index += 1;
    const auto changed = std::make_shared<const ActualLrp>(std::move(after));
    record(before, changed);
    tell(EventKind::actual_lrp_changed, before, changed);
}

void Draft::move(Presence from, ActualLrp after) {
    const auto before = row(from);
    const auto moved = std::make_shared<const ActualLrp>(std::move(after));
    record(before, moved);
    tell(EventKind::actual_lrp_changed, before, moved);
}

// Crash count, routability, routes and tags stay (lifecycle §4.2).
ActualLrp Draft::unclaimed(const ActualLrp& row) const {
    ActualLrp out = row;
    out.state = LrpState::unclaimed;
    out.instance = {};
    out.net_info = {};
    out.since = ctx_.now;
    out.modification_tag.index += 1;
    return out;
}

void Draft::unclaim() {
    const auto before = ordinary();
    const auto after = std::make_shared<const ActualLrp>(unclaimed(*before));
    record(before, after);
    tell(EventKind::actual_lrp_created, nullptr, after);
    tell(EventKind::actual_lrp_removed, before, nullptr);
}

void Draft::restart() {
    const auto before = ordinary();
    const auto after = std::make_shared<const ActualLrp>(unclaimed(*before));
    record(before, after);
    tell(EventKind::actual_lrp_changed, before, after);
}

void Draft::crash(std::string_view reason) {
    const auto before = ordinary();
    ActualLrp next = unclaimed(*before);
    // Only time as RUNNING makes good for earlier crashes; more than the window, not as much.
    const bool recovered = before->state == LrpState::running &&
                           ctx_.now - before->since > ctx_.limits.crash_reset_ns;
    next.crash_count = recovered ? 1 : before->crash_count + 1;
    next.crash_reason = truncated(reason);
    const bool waits = next.crash_count >= ctx_.limits.immediate_restarts;
    if (waits) next.state = LrpState::crashed;
    const auto after = std::make_shared<const ActualLrp>(std::move(next));
    record(before, after);
    tell(EventKind::actual_lrp_crashed, before, after);
    if (waits) {
        tell(EventKind::actual_lrp_changed, before, after);
    } else {
        tell(EventKind::actual_lrp_created, nullptr, after);
        tell(EventKind::actual_lrp_removed, before, nullptr);
    }
}

void Draft::leave_behind_unclaimed(ActualLrp after, bool history) {
    const auto before = ordinary();
    move(Presence::ordinary, std::move(after));
    create(history ? unclaimed(*before) : new_row(ctx_, before->key));
}

void set_running(ActualLrp& row, const api::RunningLrp& running) {
    row.state = LrpState::running;
    row.instance = running.instance;
    row.net_info = running.net_info;
    row.internal_routes = running.internal_routes;
    row.metric_tags = running.metric_tags;
    row.routable = running.routable;
    row.availability_zone = running.availability_zone;
    row.placement_error.clear();
}

bool runs_as(const ActualLrp& row, const api::RunningLrp& running) {
    return row.state == LrpState::running && row.instance == running.instance &&
           row.net_info == running.net_info && row.internal_routes == running.internal_routes &&
           row.metric_tags == running.metric_tags &&
           row.routable.value_or(true) == running.routable &&
           row.availability_zone == running.availability_zone;
}

ActualLrp new_row(const Context& ctx, const api::LrpKey& key) {
    ActualLrp row;
    row.key = key;
    row.state = LrpState::unclaimed;
    row.since = ctx.now;
    row.modification_tag.epoch = ctx.new_guid();
    row.routable = false;
    return row;
}

void offer(Outcome& out, const DesiredPtr& desired, std::int32_t index) {
    if (!desired) return;
    if (out.starts.empty() || out.starts.back().desired != desired)
        out.starts.push_back({.desired = desired, .indices = {}});
    out.starts.back().indices.push_back(index);
}

void order_events(Outcome& out) {
    const auto rank = [](const Event& event) {
        if (event.kind == EventKind::actual_lrp_crashed) return 0;
        const bool runs = event.actual_after && event.actual_after->state == LrpState::running;
        return runs ? 1 : 2;
    };
    std::ranges::stable_sort(out.events, {}, rank);
}

base::Result<void> check_name(std::string_view field, std::string_view value) {
    if (value.empty())
        return api::make_error(api::kInvalidRequest, base::format("Invalid field: {}", field));
    if (value.size() > kMaxName)
        return api::make_error(
                api::kInvalidRequest, base::format(
                                              "Invalid field: {}: {} bytes exceed the limit of {}",
                                              field, value.size(), kMaxName));
    return base::ok;
}

base::Result<void> check_instance(const api::InstanceKey& instance) {
    TRY(check_name("instance_guid", instance.instance_guid));
    return check_name("cell_id", instance.cell_id);
}

}  // namespace brain::model
