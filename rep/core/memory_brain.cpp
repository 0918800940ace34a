// The life of an actual LRP (lifecycle §4).
#include "rep/core/memory_brain.hpp"

#include "base/uuid.hpp"

#include <algorithm>

namespace rep::core {

using brain::api::ActualLrp;
using brain::api::InstanceKey;
using brain::api::LrpKey;
using brain::api::LrpState;
using brain::api::make_error;
using brain::api::Presence;
using brain::api::RunningLrp;

namespace {

constexpr std::size_t kOrdinary = 0;
constexpr std::size_t kEvacuating = 1;
constexpr std::size_t kSuspect = 2;
constexpr std::int32_t kImmediateRestarts = 3;
constexpr std::chrono::minutes kCrashReset{5};
constexpr std::size_t kMaxReason = 1'024;

std::string shorten(std::string_view reason) {
    constexpr std::string_view kMark = "(truncated)";
    if (reason.size() <= kMaxReason) return std::string(reason);
    return std::string(reason.substr(0, kMaxReason - kMark.size())) + std::string(kMark);
}

bool same_details(const ActualLrp& row, const RunningLrp& running) {
    return row.net_info == running.net_info && row.internal_routes == running.internal_routes &&
           row.metric_tags == running.metric_tags &&
           row.routable.value_or(true) == running.routable &&
           row.availability_zone == running.availability_zone;
}

}  // namespace

std::optional<Presence> presence_of(
        const std::array<std::optional<ActualLrp>, 3>& rows, const InstanceKey& instance) {
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (rows[i] && rows[i]->instance == instance) return static_cast<Presence>(i);
    return std::nullopt;
}

std::int64_t MemoryBrain::now() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.wall().time_since_epoch())
            .count();
}

MemoryBrain::Rows& MemoryBrain::rows(const LrpKey& key) {
    return lrps_[{key.process_guid, key.index}];
}

ActualLrp MemoryBrain::fresh(const LrpKey& key) const {
    ActualLrp row;
    row.key = key;
    row.state = LrpState::unclaimed;
    row.since = now();
    row.modification_tag = {.epoch = base::random_uuid(), .index = 0};
    row.routable = false;
    return row;
}

void MemoryBrain::unclaim(ActualLrp& row) {
    row.state = LrpState::unclaimed;
    row.instance = {};
    row.net_info = {};
    row.since = now();
    row.modification_tag.index += 1;
}

void MemoryBrain::set_running(ActualLrp& row, const RunningLrp& running) {
    if (row.state != LrpState::running) row.since = now();
    row.state = LrpState::running;
    row.instance = running.instance;
    row.net_info = running.net_info;
    row.internal_routes = running.internal_routes;
    row.metric_tags = running.metric_tags;
    row.routable = running.routable;
    row.availability_zone = running.availability_zone;
    row.placement_error.clear();
    row.modification_tag.index += 1;
}

void MemoryBrain::crash(ActualLrp& row, std::string_view reason, bool auction) {
    const auto ran = row.state == LrpState::running ? now() - row.since : 0;
    const bool reset = ran > std::chrono::nanoseconds(kCrashReset).count();
    row.crash_count = reset ? 1 : row.crash_count + 1;
    row.crash_reason = shorten(reason);
    unclaim(row);
    if (row.crash_count >= kImmediateRestarts)
        row.state = LrpState::crashed;
    else if (auction)
        auctions_.lrps.push_back(row.key);
}

base::Result<void> MemoryBrain::claim_actual_lrp(const LrpKey& key, const InstanceKey& instance) {
    const std::lock_guard lock(mutex_);
    auto& all = rows(key);
    if (presence_of(all, instance) == Presence::suspect) return base::ok;
    auto& row = all[kOrdinary];
    if (!row) return make_error(brain::api::kResourceNotFound);
    const bool same = row->instance == instance;
    if (row->state == LrpState::claimed && same) return base::ok;
    if (row->state != LrpState::unclaimed && !(row->state == LrpState::running && same))
        return make_error(brain::api::kCannotBeClaimed);
    row->state = LrpState::claimed;
    row->instance = instance;
    row->net_info = {};
    row->placement_error.clear();
    row->since = now();
    row->modification_tag.index += 1;
    return base::ok;
}

base::Result<void> MemoryBrain::start_actual_lrp(const RunningLrp& running) {
    const std::lock_guard lock(mutex_);
    auto& all = rows(running.key);
    if (presence_of(all, running.instance) == Presence::suspect) return base::ok;
    auto& row = all[kOrdinary];
    // A store that was emptied must not kill what runs.
    if (!row) row = fresh(running.key);
    const bool same = row->instance == running.instance;
    if (row->state == LrpState::crashed || (row->state == LrpState::running && !same))
        return make_error(brain::api::kCannotBeStarted);
    if (row->state != LrpState::running || !same_details(*row, running)) set_running(*row, running);
    all[kEvacuating].reset();
    all[kSuspect].reset();
    return base::ok;
}

base::Result<void> MemoryBrain::crash_actual_lrp(
        const LrpKey& key, const InstanceKey& instance, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    auto& all = rows(key);
    if (presence_of(all, instance) == Presence::suspect) {
        all[kSuspect].reset();
        return base::ok;
    }
    auto& row = all[kOrdinary];
    if (!row) return make_error(brain::api::kResourceNotFound);
    if (row->instance != instance || row->instance.empty())
        return make_error(brain::api::kCannotBeCrashed);
    crash(*row, reason, true);
    return base::ok;
}

base::Result<void> MemoryBrain::remove_actual_lrp(const LrpKey& key, const InstanceKey& instance) {
    const std::lock_guard lock(mutex_);
    auto& row = rows(key)[kOrdinary];
    if (!row || (!instance.empty() && row->instance != instance))
        return make_error(brain::api::kResourceNotFound);
    row.reset();
    return base::ok;
}

base::Result<void> MemoryBrain::remove_evacuating_actual_lrp(
        const LrpKey& key, const InstanceKey& instance) {
    const std::lock_guard lock(mutex_);
    auto& row = rows(key)[kEvacuating];
    if (!row || row->instance != instance) return make_error(brain::api::kResourceNotFound);
    row.reset();
    return base::ok;
}

base::Result<brain::api::DesiredLrp> MemoryBrain::desired_lrp(std::string_view process_guid) {
    const std::lock_guard lock(mutex_);
    const auto found = desired_.find(process_guid);
    if (found == desired_.end()) return make_error(brain::api::kResourceNotFound);
    return found->second;
}

base::Result<void> MemoryBrain::desire_lrp(brain::api::DesiredLrp desired) {
    const std::lock_guard lock(mutex_);
    if (desired_.contains(desired.process_guid)) return make_error(brain::api::kResourceExists);
    for (std::int32_t index = 0; index < desired.instances; ++index) {
        const LrpKey key{
                .process_guid = desired.process_guid, .index = index, .domain = desired.domain};
        auto& row = rows(key)[kOrdinary];
        if (row) continue;
        row = fresh(key);
        auctions_.lrps.push_back(key);
    }
    desired.modification_tag = {.epoch = base::random_uuid(), .index = 0};
    auto guid = desired.process_guid;
    desired_.emplace(std::move(guid), std::move(desired));
    return base::ok;
}

base::Result<void> MemoryBrain::remove_desired_lrp(std::string_view process_guid) {
    const std::lock_guard lock(mutex_);
    const auto found = desired_.find(process_guid);
    if (found == desired_.end()) return make_error(brain::api::kResourceNotFound);
    desired_.erase(found);
    // Without instances they have no cell that could remove them.
    for (auto& [index, all] : lrps_)
        if (index.first == process_guid && all[kOrdinary] && all[kOrdinary]->instance.empty())
            all[kOrdinary].reset();
    return base::ok;
}

void MemoryBrain::put(ActualLrp lrp) {
    const std::lock_guard lock(mutex_);
    auto& row = rows(lrp.key)[static_cast<std::size_t>(lrp.presence)];
    row = std::move(lrp);
}

std::vector<ActualLrp> MemoryBrain::all_lrps() const {
    const std::lock_guard lock(mutex_);
    std::vector<ActualLrp> out;
    for (const auto& [index, all] : lrps_)
        for (const auto& row : all)
            if (row) out.push_back(*row);
    return out;
}

base::Result<std::vector<ActualLrp>> MemoryBrain::actual_lrps(std::string_view cell_id) {
    auto out = all_lrps();
    std::erase_if(out, [&](const auto& lrp) { return lrp.instance.cell_id != cell_id; });
    return out;
}

Auctions MemoryBrain::take_auctions() {
    const std::lock_guard lock(mutex_);
    return std::exchange(auctions_, {});
}

}  // namespace rep::core
