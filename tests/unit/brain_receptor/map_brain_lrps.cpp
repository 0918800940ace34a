// Desired and actual LRPs of MapBrain.
#include "base/fail.hpp"
#include "base/uuid.hpp"
#include "tests/unit/brain_receptor/map_brain.hpp"

#include <algorithm>

namespace test {

using api::LrpState;
using api::make_error;

namespace {

constexpr std::int32_t kImmediateRestarts = 3;

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
}

api::ActualLrp unclaimed(const api::LrpKey& key) {
    api::ActualLrp lrp;
    lrp.key = key;
    lrp.state = LrpState::unclaimed;
    lrp.since = now();
    lrp.modification_tag.epoch = base::random_uuid();
    return lrp;
}

// One more change of the row.
void touch(api::ActualLrp& lrp, LrpState state) {
    lrp.state = state;
    lrp.since = now();
    lrp.modification_tag.index += 1;
}

api::ActualLrp running_of(api::ActualLrp lrp, const api::RunningLrp& running) {
    touch(lrp, LrpState::running);
    lrp.instance = running.instance;
    lrp.net_info = running.net_info;
    lrp.placement_error.clear();
    return lrp;
}

}  // namespace

void MapBrain::put(api::ActualPtr& row, std::optional<api::ActualLrp> value) {
    const auto before = row;
    row = value ? std::make_shared<const api::ActualLrp>(std::move(*value)) : nullptr;
    if (!before && !row) return;
    say({.kind = !before ? api::EventKind::actual_lrp_created
                 : !row  ? api::EventKind::actual_lrp_removed
                         : api::EventKind::actual_lrp_changed,
         .actual_before = before,
         .actual_after = row});
}

void MapBrain::put_crashed(api::ActualPtr& row, const api::ActualLrp& value) {
    say({.kind = api::EventKind::actual_lrp_crashed,
         .actual_before = row,
         .actual_after = std::make_shared<const api::ActualLrp>(value)});
    put(row, value);
}

void MapBrain::add_rows(const api::DesiredLrp& desired) {
    for (std::int32_t index = 0; index < desired.instances; ++index) {
        auto& row = groups_[{desired.process_guid, index}].ordinary;
        if (!row)
            put(row, unclaimed(
                             {.process_guid = desired.process_guid,
                              .index = index,
                              .domain = desired.domain}));
    }
}

void MapBrain::stop_from(const std::string& guid, std::int32_t index) {
    for (auto& [key, group] : groups_)
        if (key.first == guid && key.second >= index) put(group.ordinary, std::nullopt);
}

base::Result<void> MapBrain::desire_lrp(api::DesiredLrp desired) {
    const std::lock_guard lock(mutex_);
    if (desired_.contains(desired.process_guid)) return make_error(api::kResourceExists);
    desired.modification_tag = {.epoch = base::random_uuid(), .index = 0};
    const auto kept = std::make_shared<const api::DesiredLrp>(std::move(desired));
    desired_[kept->process_guid] = kept;
    say({.kind = api::EventKind::desired_lrp_created, .desired_after = kept});
    add_rows(*kept);
    return base::ok;
}

base::Result<api::DesiredPtr> MapBrain::find_desired_lrp(std::string_view guid) {
    const std::lock_guard lock(mutex_);
    const auto found = desired_.find(guid);
    if (found == desired_.end()) return make_error(api::kResourceNotFound);
    return found->second;
}

base::Result<std::vector<api::DesiredPtr>> MapBrain::list_desired_lrps(std::string_view domain) {
    const std::lock_guard lock(mutex_);
    std::vector<api::DesiredPtr> out;
    for (const auto& [guid, desired] : desired_)
        if (domain.empty() || desired->domain == domain) out.push_back(desired);
    return out;
}

base::Result<void> MapBrain::update_desired_lrp(
        std::string_view guid, const api::DesiredLrpUpdate& update) {
    const std::lock_guard lock(mutex_);
    const auto found = desired_.find(guid);
    if (found == desired_.end()) return make_error(api::kResourceNotFound);
    const auto before = found->second;
    auto after = *before;
    if (update.instances) after.instances = *update.instances;
    if (update.routes) after.routes = *update.routes;
    if (update.annotation) after.definition.annotation = *update.annotation;
    if (update.metric_tags) after.definition.metric_tags = *update.metric_tags;
    if (update.image_username) after.definition.image_username = *update.image_username;
    if (update.image_password) after.definition.image_password = *update.image_password;
    after.modification_tag.index += 1;
    found->second = std::make_shared<const api::DesiredLrp>(after);
    say({.kind = api::EventKind::desired_lrp_changed,
         .desired_before = before,
         .desired_after = found->second});
    add_rows(after);
    stop_from(after.process_guid, after.instances);
    return base::ok;
}

base::Result<void> MapBrain::remove_desired_lrp(std::string_view guid) {
    const std::lock_guard lock(mutex_);
    const auto found = desired_.find(guid);
    if (found == desired_.end()) return make_error(api::kResourceNotFound);
    const auto before = found->second;
    desired_.erase(found);
    say({.kind = api::EventKind::desired_lrp_removed, .desired_before = before});
    stop_from(before->process_guid, 0);
    return base::ok;
}

base::Result<std::vector<api::ActualLrpGroup>> MapBrain::list_actual_lrps(std::string_view domain) {
    const std::lock_guard lock(mutex_);
    std::vector<api::ActualLrpGroup> out;
    for (const auto& [index, group] : groups_)
        for (const auto& row : {group.ordinary, group.evacuating, group.suspect})
            if (row && (domain.empty() || row->key.domain == domain)) {
                out.push_back(group);
                break;
            }
    return out;
}

base::Result<std::vector<api::ActualLrpGroup>> MapBrain::list_actual_lrps_of(
        std::string_view guid) {
    const std::lock_guard lock(mutex_);
    std::vector<api::ActualLrpGroup> out;
    for (const auto& [index, group] : groups_)
        if (index.first == guid && (group.ordinary || group.evacuating || group.suspect))
            out.push_back(group);
    return out;
}

base::Result<api::ActualLrpGroup> MapBrain::find_actual_lrp(
        std::string_view guid, std::int32_t index) {
    const std::lock_guard lock(mutex_);
    const auto found = groups_.find({std::string(guid), index});
    if (found == groups_.end() || (!found->second.ordinary && !found->second.evacuating))
        return make_error(api::kResourceNotFound);
    return found->second;
}

base::Result<void> MapBrain::retire_actual_lrp(std::string_view guid, std::int32_t index) {
    const std::lock_guard lock(mutex_);
    const auto found = groups_.find({std::string(guid), index});
    if (found == groups_.end() || !found->second.ordinary)
        return make_error(api::kResourceNotFound);
    put(found->second.ordinary, std::nullopt);
    return base::ok;
}

base::Result<void> MapBrain::claim_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    const std::lock_guard lock(mutex_);
    auto& row = groups_[{key.process_guid, key.index}].ordinary;
    if (!row) return make_error(api::kResourceNotFound);
    if (row->state != LrpState::unclaimed) return make_error(api::kCannotBeClaimed);
    auto lrp = *row;
    touch(lrp, LrpState::claimed);
    lrp.instance = instance;
    put(row, std::move(lrp));
    return base::ok;
}

base::Result<void> MapBrain::start_actual_lrp(const api::RunningLrp& running) {
    const std::lock_guard lock(mutex_);
    auto& group = groups_[{running.key.process_guid, running.key.index}];
    if (group.ordinary && group.ordinary->state == LrpState::crashed)
        return make_error(api::kCannotBeStarted);
    put(group.ordinary,
        running_of(group.ordinary ? *group.ordinary : unclaimed(running.key), running));
    put(group.evacuating, std::nullopt);
    return base::ok;
}

base::Result<void> MapBrain::crash_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    auto& row = groups_[{key.process_guid, key.index}].ordinary;
    if (!row || row->instance != instance) return make_error(api::kCannotBeCrashed);
    auto lrp = *row;
    lrp.crash_count += 1;
    touch(lrp, lrp.crash_count < kImmediateRestarts ? LrpState::unclaimed : LrpState::crashed);
    lrp.instance = {};
    lrp.net_info = {};
    lrp.crash_reason = reason;
    put_crashed(row, lrp);
    return base::ok;
}

base::Result<void> MapBrain::remove_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    const std::lock_guard lock(mutex_);
    auto& row = groups_[{key.process_guid, key.index}].ordinary;
    if (!row || row->instance != instance) return make_error(api::kResourceNotFound);
    put(row, std::nullopt);
    return base::ok;
}

base::Result<void> MapBrain::remove_evacuating_actual_lrp(
        const api::LrpKey& key, const api::InstanceKey& instance) {
    const std::lock_guard lock(mutex_);
    auto& row = groups_[{key.process_guid, key.index}].evacuating;
    if (!row || row->instance != instance) return make_error(api::kCannotBeRemoved);
    put(row, std::nullopt);
    return base::ok;
}

// The row of a running instance moves; its place is free for another.
base::Result<bool> MapBrain::evacuate_running_actual_lrp(const api::RunningLrp& running) {
    const std::lock_guard lock(mutex_);
    auto& group = groups_[{running.key.process_guid, running.key.index}];
    if (!group.ordinary || group.ordinary->instance != running.instance) return false;
    auto moved = running_of(*group.ordinary, running);
    moved.presence = api::Presence::evacuating;
    put(group.ordinary, std::move(moved));
    group.evacuating = std::move(group.ordinary);
    group.ordinary = nullptr;
    put(group.ordinary, unclaimed(running.key));
    return true;
}

base::Result<bool> MapBrain::evacuate_claimed_actual_lrp(
        const api::LrpKey&, const api::InstanceKey&) {
    return base::fail(base::Errc::unsupported, "not in these tests");
}

base::Result<bool> MapBrain::evacuate_stopped_actual_lrp(
        const api::LrpKey&, const api::InstanceKey&) {
    return base::fail(base::Errc::unsupported, "not in these tests");
}

base::Result<bool> MapBrain::evacuate_crashed_actual_lrp(
        const api::LrpKey&, const api::InstanceKey&, std::string_view) {
    return base::fail(base::Errc::unsupported, "not in these tests");
}

base::Result<api::DesiredLrp> MapBrain::desired_lrp(std::string_view guid) {
    return *TRY(find_desired_lrp(guid));
}

base::Result<std::vector<api::ActualLrp>> MapBrain::actual_lrps(std::string_view cell_id) {
    const std::lock_guard lock(mutex_);
    std::vector<api::ActualLrp> out;
    for (const auto& [index, group] : groups_)
        for (const auto& row : {group.ordinary, group.evacuating, group.suspect})
            if (row && row->instance.cell_id == cell_id) out.push_back(*row);
    return out;
}

}  // namespace test
