#include "rep/plan/intake.hpp"

#include "base/fail.hpp"
#include "executor/api/executor.hpp"
#include "rep/plan/identity.hpp"

#include <algorithm>

namespace rep::plan {

namespace {

using executor::api::Resources;

// "" when the cell could hold it.
std::string misfit(const Cell& cell, const Snapshot& now, const api::Needs& needs) {
    if (now.evacuating) return "cell is evacuating";
    if (needs.memory_mb < 0 || needs.disk_mb < 0 || needs.max_pids < 0)
        return "memory, disk and pids must not be negative";
    if (!rootfs_matches(providers_of(cell.stacks, cell.arbitrary_schemes), needs.rootfs))
        return base::format("cell has no root filesystem '{}'", needs.rootfs.substr(0, 256));
    if (!drivers_match(now.volume_drivers, needs.volume_drivers))
        return "cell lacks a volume driver";
    if (!tags_match(cell.placement_tags, cell.optional_placement_tags, needs.placement_tags))
        return "placement tags do not match the cell's";
    return {};
}

// Takes what is needed from `remaining`, or says what is short; the words of the auction (§9).
std::string take(Resources& remaining, std::int64_t memory_mb, std::int64_t disk_mb) {
    std::string lacking;
    const auto lacks = [&](std::string_view word) {
        lacking.append(lacking.empty() ? "insufficient resources: " : ", ").append(word);
    };
    if (remaining.containers < 1) lacks("containers");
    if (remaining.disk_mb < disk_mb) lacks("disk");
    if (remaining.memory_mb < memory_mb) lacks("memory");
    if (!lacking.empty()) return lacking;
    remaining.containers -= 1;
    remaining.disk_mb -= disk_mb;
    remaining.memory_mb -= memory_mb;
    return {};
}

executor::api::AllocationRequest request(
        std::string guid, const api::Needs& needs, std::string_view lifecycle) {
    executor::api::AllocationRequest out{
            .guid = std::move(guid),
            .memory_mb = needs.memory_mb,
            .disk_mb = needs.disk_mb,
            .max_pids = needs.max_pids,
            .tags = {}};
    out.tags[std::string(kLifecycleTag)] = lifecycle;
    out.tags[std::string(kRootfsTag)] = needs.rootfs;
    out.tags[std::string(kPlacementTagsTag)] = base::json::encode(needs.placement_tags);
    out.tags[std::string(kVolumeDriversTag)] = base::json::encode(needs.volume_drivers);
    return out;
}

void take_lrp(
        const Cell& cell,
        const Snapshot& now,
        Resources& remaining,
        api::Lrp lrp,
        const std::function<std::string()>& mint,
        Intake& out) {
    lrp.refusal = misfit(cell, now, lrp.needs);
    if (lrp.process_guid.empty() || lrp.domain.empty() || lrp.index < 0)
        lrp.refusal = "process_guid and domain must not be empty, index not negative";
    auto wanted = request({}, lrp.needs, "lrp");
    // Memory 0 is no limit; a proxy would make it one.
    if (wanted.memory_mb > 0) wanted.memory_mb += cell.proxy_memory_mb;
    if (lrp.refusal.empty()) lrp.refusal = take(remaining, wanted.memory_mb, wanted.disk_mb);
    if (!lrp.refusal.empty()) {
        out.refused.lrps.push_back(std::move(lrp));
        return;
    }
    wanted.guid = mint();
    wanted.tags[std::string(kDomainTag)] = lrp.domain;
    wanted.tags[std::string(kProcessGuidTag)] = lrp.process_guid;
    wanted.tags[std::string(kProcessIndexTag)] = std::to_string(lrp.index);
    wanted.tags[std::string(kInstanceGuidTag)] = wanted.guid;
    out.reservations.push_back({.request = std::move(wanted), .origin = std::move(lrp)});
}

// Its guid is the container's: twice in one delivery must not confuse which of them was refused.
bool is_new(const Snapshot& now, const Intake& out, const std::string& guid) {
    const auto same = [&](const auto& c) { return c.guid == guid; };
    return std::ranges::none_of(now.containers, same) &&
           std::ranges::none_of(out.reservations, [&](const Reservation& reservation) {
               return same(reservation.request);
           });
}

void take_task(
        const Cell& cell, const Snapshot& now, Resources& remaining, api::Task task, Intake& out) {
    task.refusal = misfit(cell, now, task.needs);
    if (!is_new(now, out, task.task_guid))
        task.refusal = executor::api::make_error(executor::api::kContainerGuidNotAvailable).text;
    if (task.task_guid.empty() || task.domain.empty())
        task.refusal = "TaskGuid and Domain must not be empty";
    if (task.refusal.empty())
        task.refusal = take(remaining, task.needs.memory_mb, task.needs.disk_mb);
    if (!task.refusal.empty()) {
        out.refused.tasks.push_back(std::move(task));
        return;
    }
    auto wanted = request(task.task_guid, task.needs, "task");
    wanted.tags[std::string(kDomainTag)] = task.domain;
    out.reservations.push_back({.request = std::move(wanted), .origin = std::move(task)});
}

}  // namespace

base::Result<Intake> plan_intake(
        const Cell& cell,
        const Snapshot& now,
        api::Work work,
        const std::function<std::string()>& mint) {
    if (!work.cell_id.empty() && work.cell_id != cell.id)
        return base::fail(
                base::Errc::invalid, "cell_id: '{}' is not this cell, '{}'", work.cell_id, cell.id);
    if (work.lrps.size() + work.tasks.size() > kMaxWork)
        return base::fail(
                base::Errc::invalid, "work: {} elements, the limit is {}",
                work.lrps.size() + work.tasks.size(), kMaxWork);
    Intake out;
    out.refused.cell_id = work.cell_id;
    auto remaining = now.remaining;
    // The large ones first: the small ones fit into what is left.
    std::ranges::stable_sort(work.lrps, [](const api::Lrp& a, const api::Lrp& b) {
        return a.needs.memory_mb > b.needs.memory_mb;
    });
    for (auto& lrp : work.lrps) take_lrp(cell, now, remaining, std::move(lrp), mint, out);
    for (auto& task : work.tasks) take_task(cell, now, remaining, std::move(task), out);
    return out;
}

void refuse(api::Work& refused, Reservation reservation, std::string reason) {
    if (auto* lrp = std::get_if<api::Lrp>(&reservation.origin)) {
        lrp->refusal = std::move(reason);
        refused.lrps.push_back(std::move(*lrp));
    } else if (auto* task = std::get_if<api::Task>(&reservation.origin)) {
        task->refusal = std::move(reason);
        refused.tasks.push_back(std::move(*task));
    }
}

}  // namespace rep::plan
