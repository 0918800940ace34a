// What clients want (lifecycle §3, §5.2).
#include "brain/model/desired_rules.hpp"

#include "base/fail.hpp"
#include "brain/model/draft.hpp"
#include "brain/model/lrp_rules.hpp"

namespace brain::model {

using api::DesiredLrp;
using api::EventKind;
using api::LrpState;
using api::make_error;
using api::Presence;

namespace {

base::Result<void> check_instances(const Context& ctx, std::int32_t instances) {
    if (instances >= 0 && instances <= ctx.limits.max_instances) return base::ok;
    return make_error(
            api::kInvalidRequest, base::format(
                                          "Invalid field: instances: {} is not in 0..{}", instances,
                                          ctx.limits.max_instances));
}

void record(Outcome& out, EventKind kind, DesiredPtr before, DesiredPtr after) {
    api::Event event;
    event.kind = kind;
    event.desired_before = before;
    event.desired_after = after;
    out.events.push_back(std::move(event));
    out.changes.emplace_back(
            Changed<DesiredPtr>{.before = std::move(before), .after = std::move(after)});
}

// Rows for [first, last) and one offer of those that were really created.
void create_missing(
        const Context& ctx,
        Outcome& out,
        const DesiredPtr& desired,
        std::int32_t first,
        std::int32_t last) {
    for (std::int32_t index = first; index < last; ++index) {
        Draft draft(ctx, out, ctx.world.group(desired->process_guid, index));
        if (draft.ordinary()) continue;
        draft.create_unclaimed(
                {.process_guid = desired->process_guid, .index = index, .domain = desired->domain});
        offer(out, desired, index);
    }
}

bool is_placed(const api::ActualLrp& row) {
    return row.state == LrpState::claimed || row.state == LrpState::running;
}

// Every index from `first` on (lifecycle §3): nothing waits for a cell, and what evacuates is left
// alone.
void stop_from(
        const Context& ctx, Outcome& out, std::string_view process_guid, std::int32_t first) {
    for (const auto& row : ctx.world.process(process_guid).rows) {
        if (row->key.index < first || row->presence == Presence::evacuating) continue;
        if (is_placed(*row)) {
            out.stops.push_back({.key = row->key, .instance = row->instance});
            continue;
        }
        Draft draft(ctx, out, ctx.world.group(process_guid, row->key.index));
        draft.remove(row->presence);
    }
}

void update_instances(const Context& ctx, Outcome& out, const DesiredLrp& desired) {
    const auto routes = internal_routes_of(desired);
    for (const auto& row : ctx.world.process(desired.process_guid).rows)
        if (row->key.index < desired.instances && row->presence != Presence::evacuating &&
            is_placed(*row))
            out.updates.push_back(
                    {.key = row->key,
                     .instance = row->instance,
                     .internal_routes = routes,
                     .metric_tags = resolve_tags(desired, *row)});
}

void change(DesiredLrp& desired, const api::DesiredLrpUpdate& update) {
    if (update.instances) desired.instances = *update.instances;
    if (update.routes) desired.routes = *update.routes;
    auto& definition = desired.definition;
    if (update.annotation) definition.annotation = *update.annotation;
    if (update.metric_tags) definition.metric_tags = *update.metric_tags;
    if (update.image_username) definition.image_username = *update.image_username;
    if (update.image_password) definition.image_password = *update.image_password;
    desired.modification_tag.index += 1;
}

}  // namespace

base::Result<Outcome> desire_lrp(const Context& ctx, DesiredLrp desired) {
    TRY(check_name("process_guid", desired.process_guid));
    TRY(check_name("domain", desired.domain));
    TRY(check_instances(ctx, desired.instances));
    if (ctx.world.desired(desired.process_guid)) return make_error(api::kResourceExists);
    desired.modification_tag = {.epoch = ctx.new_guid(), .index = 0};
    const auto after = std::make_shared<const DesiredLrp>(std::move(desired));
    Outcome out;
    record(out, EventKind::desired_lrp_created, nullptr, after);
    create_missing(ctx, out, after, 0, after->instances);
    return out;
}

base::Result<Outcome> update_desired_lrp(
        const Context& ctx, std::string_view process_guid, const api::DesiredLrpUpdate& update) {
    const auto before = ctx.world.desired(process_guid);
    if (!before) return make_error(api::kResourceNotFound);
    if (update.instances) TRY(check_instances(ctx, *update.instances));
    if (update.image_username.has_value() != update.image_password.has_value())
        return make_error(
                api::kInvalidRequest,
                "Invalid field: image_username and image_password: both or neither");
    DesiredLrp next = *before;
    change(next, update);
    const auto after = std::make_shared<const DesiredLrp>(std::move(next));
    Outcome out;
    record(out, EventKind::desired_lrp_changed, before, after);
    create_missing(ctx, out, after, before->instances, after->instances);
    if (after->instances < before->instances) stop_from(ctx, out, process_guid, after->instances);
    if (internal_routes_of(*before) != internal_routes_of(*after) ||
        before->definition.metric_tags != after->definition.metric_tags)
        update_instances(ctx, out, *after);
    return out;
}

base::Result<Outcome> remove_desired_lrp(const Context& ctx, std::string_view process_guid) {
    const auto before = ctx.world.desired(process_guid);
    if (!before) return make_error(api::kResourceNotFound);
    Outcome out;
    record(out, EventKind::desired_lrp_removed, before, nullptr);
    stop_from(ctx, out, process_guid, 0);
    return out;
}

base::Result<Outcome> upsert_domain(
        const Context& ctx, std::string_view name, std::chrono::seconds time_to_live) {
    TRY(check_name("domain", name));
    if (time_to_live < std::chrono::seconds(0) || time_to_live > kMaxTimeToLive)
        return make_error(
                api::kInvalidRequest, base::format(
                                              "Invalid field: ttl: {} s is not in 0..{} s",
                                              time_to_live.count(), kMaxTimeToLive.count()));
    const std::chrono::nanoseconds life = time_to_live;
    const auto before = ctx.world.domain(name);
    auto after = std::make_shared<const Domain>(
            Domain{.name = std::string(name),
                   .expires_at = life.count() == 0 ? 0 : ctx.now + life.count()});
    Outcome out;
    if (before && *before == *after) return out;
    out.changes.emplace_back(Changed<DomainPtr>{.before = before, .after = std::move(after)});
    return out;
}

bool is_fresh(const Domain& domain, std::int64_t now) {
    if (domain.expires_at == 0) return true;
    constexpr std::int64_t kSecond = 1'000'000'000;
    const std::int64_t rounded = (now + kSecond / 2) / kSecond * kSecond;
    return domain.expires_at > rounded;
}

}  // namespace brain::model
