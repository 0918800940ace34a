// What an evacuating cell asks (lifecycle §6).
#include "base/uuid.hpp"
#include "rep/core/memory_brain.hpp"

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

}  // namespace

base::Result<bool> MemoryBrain::evacuate_claimed_actual_lrp(
        const LrpKey& key, const InstanceKey& instance) {
    const std::lock_guard lock(mutex_);
    auto& all = rows(key);
    const auto caller = presence_of(all, instance);
    if (!caller) return make_error(brain::api::kResourceNotFound);
    if (*caller == Presence::ordinary) {
        unclaim(*all[kOrdinary]);
        auctions_.lrps.push_back(key);
    } else {
        all[static_cast<std::size_t>(*caller)].reset();
    }
    return false;
}

base::Result<bool> MemoryBrain::evacuate_stopped_actual_lrp(
        const LrpKey& key, const InstanceKey& instance) {
    const std::lock_guard lock(mutex_);
    auto& all = rows(key);
    const auto caller = presence_of(all, instance);
    if (!caller) return make_error(brain::api::kResourceNotFound);
    all[static_cast<std::size_t>(*caller)].reset();
    return false;
}

base::Result<bool> MemoryBrain::evacuate_crashed_actual_lrp(
        const LrpKey& key, const InstanceKey& instance, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    auto& all = rows(key);
    const auto caller = presence_of(all, instance);
    if (!caller) return make_error(brain::api::kResourceNotFound);
    if (*caller == Presence::ordinary)
        crash(*all[kOrdinary], reason, false);
    else
        all[static_cast<std::size_t>(*caller)].reset();
    return false;
}

void MemoryBrain::evacuate(Rows& all, const RunningLrp& running) {
    auto& row = all[kEvacuating];
    if (!row || row->instance != running.instance) {
        row = fresh(running.key);
        row->presence = Presence::evacuating;
    }
    set_running(*row, running);
}

bool MemoryBrain::all_run(const brain::api::DesiredLrp& desired) const {
    for (std::int32_t index = 0; index < desired.instances; ++index) {
        const auto found = lrps_.find({desired.process_guid, index});
        if (found == lrps_.end() || !found->second[kOrdinary] ||
            found->second[kOrdinary]->state != LrpState::running)
            return false;
    }
    return true;
}

base::Result<bool> MemoryBrain::recreate(
        Rows& all, std::optional<Presence> caller, const brain::api::DesiredLrp& desired) {
    if (!caller) return false;
    if (*caller != Presence::ordinary) {
        all[static_cast<std::size_t>(*caller)].reset();
        return false;
    }
    if (!all_run(desired)) return true;  // one at a time
    unclaim(*all[kOrdinary]);
    auctions_.lrps.push_back(all[kOrdinary]->key);
    return false;
}

base::Result<bool> MemoryBrain::evacuate_running_actual_lrp(const RunningLrp& running) {
    const std::lock_guard lock(mutex_);
    auto& all = rows(running.key);
    const auto caller = presence_of(all, running.instance);
    const auto& ordinary = all[kOrdinary];
    const bool served =
            ordinary && caller != Presence::ordinary &&
            (ordinary->state == LrpState::running || ordinary->state == LrpState::crashed);
    const auto desired = desired_.find(running.key.process_guid);
    if (!ordinary || served || desired == desired_.end()) {
        if (caller == Presence::evacuating) all[kEvacuating].reset();
        return false;
    }
    if (desired->second.update_strategy == brain::api::UpdateStrategy::recreate)
        return recreate(all, caller, desired->second);
    if (!caller || *caller == Presence::evacuating) {
        if (all[kEvacuating] && all[kEvacuating]->instance != running.instance) return false;
        evacuate(all, running);
        return true;
    }
    evacuate(all, running);
    if (*caller == Presence::suspect) {
        all[kSuspect].reset();
    } else {
        unclaim(*all[kOrdinary]);
        auctions_.lrps.push_back(running.key);
    }
    return true;
}

}  // namespace rep::core
