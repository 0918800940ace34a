#include "rep/plan/cell.hpp"

#include "brain/api/task.hpp"
#include "rep/plan/identity.hpp"

#include <algorithm>
#include <limits>

namespace rep::plan {

namespace {

using executor::api::Container;
using executor::api::State;

api::Resources resources(const executor::api::Resources& r) {
    return {.memory_mb = r.memory_mb, .disk_mb = r.disk_mb, .containers = r.containers};
}

api::Needs needs(const Container& c) {
    return {.placement_tags = list_tag(c, kPlacementTagsTag),
            .volume_drivers = list_tag(c, kVolumeDriversTag),
            .rootfs = std::string(tag(c, kRootfsTag)),
            .memory_mb = c.memory_mb,
            .disk_mb = c.disk_mb,
            .max_pids = c.max_pids};
}

std::string_view lrp_state(const Container& c) {
    switch (c.state) {
        case State::running:
            return api::kRunning;
        case State::completed:
            return c.run_result.failed ? api::kCrashed : api::kShutdown;
        case State::invalid:
        case State::reserved:
        case State::initializing:
        case State::created:
            return api::kClaimed;
    }
    return api::kClaimed;
}

std::int32_t narrow(std::int64_t value) {
    return static_cast<std::int32_t>(
            std::clamp<std::int64_t>(value, 0, std::numeric_limits<std::int32_t>::max()));
}

}  // namespace

std::int64_t starting(const std::vector<Container>& containers) {
    return std::ranges::count_if(containers, [](const Container& c) {
        return c.state == State::reserved || c.state == State::initializing ||
               c.state == State::created;
    });
}

api::CellState cell_state(const Cell& cell, const Snapshot& now) {
    api::CellState out{
            .rep_url = cell.rep_url,
            .cell_id = cell.id,
            .cell_index = cell.index,
            .rootfs_providers = providers_of(cell.stacks, cell.arbitrary_schemes),
            .available_resources = resources(now.remaining),
            .total_resources = resources(now.total),
            .lrps = {},
            .tasks = {},
            .starting_container_count = starting(now.containers),
            .zone = cell.zone,
            .evacuating = now.evacuating,
            .volume_drivers = now.volume_drivers,
            .placement_tags = cell.placement_tags,
            .optional_placement_tags = cell.optional_placement_tags,
            .proxy_memory_allocation_mb = cell.proxy_memory_mb};
    for (const auto& c : now.containers) {
        switch (lifecycle_of(c)) {
            case Lifecycle::none:
                break;
            case Lifecycle::lrp: {
                // One that cannot say which LRP it is still takes room; the harmonizer removes it.
                auto key = lrp_key_of(c).value_or(brain::api::LrpKey{});
                out.lrps.push_back(
                        {.instance_guid = c.guid,
                         .process_guid = std::move(key.process_guid),
                         .index = key.index,
                         .domain = std::move(key.domain),
                         .needs = needs(c),
                         .state = std::string(lrp_state(c)),
                         .refusal = {}});
                break;
            }
            case Lifecycle::task: {
                using brain::api::TaskState;
                const bool over = c.state == State::completed;
                out.tasks.push_back(
                        {.task_guid = c.guid,
                         .domain = std::string(tag(c, kDomainTag)),
                         .needs = needs(c),
                         .state = std::string(
                                 to_string(over ? TaskState::completed : TaskState::running)),
                         .failed = c.run_result.failed,
                         .refusal = {}});
                break;
            }
        }
    }
    return out;
}

brain::api::CellPresence presence(const Cell& cell, const executor::api::Resources& total) {
    return {.cell_id = cell.id,
            .rep_address = cell.rep_address,
            .zone = cell.zone,
            .capacity =
                    {.memory_mb = narrow(total.memory_mb),
                     .disk_mb = narrow(total.disk_mb),
                     .containers = narrow(total.containers)},
            .rootfs_providers = presence_providers(cell.stacks, cell.arbitrary_schemes),
            .placement_tags = cell.placement_tags,
            .optional_placement_tags = cell.optional_placement_tags,
            .rep_url = cell.rep_url,
            .annotations = cell.annotations};
}

}  // namespace rep::plan
