// What clients ask of the core: each change one rule of brain/model, each question one look.
#include "base/fail.hpp"
#include "brain/core/core.hpp"
#include "brain/model/desired_rules.hpp"
#include "brain/model/lrp_rules.hpp"
#include "brain/model/task_rules.hpp"

namespace brain::core {

using api::make_error;
using model::Context;
using model::World;

base::Result<void> Core::desire_task(api::Task task) {
    return decide([&](const Context& ctx) { return model::desire_task(ctx, std::move(task)); });
}

base::Result<api::TaskPtr> Core::find_task(std::string_view task_guid) {
    const auto current = TRY(reign());
    auto task = TRY(current->read([&](const World& world) { return world.task(task_guid); }));
    if (!task) return make_error(api::kResourceNotFound, task_guid);
    return task;
}

base::Result<std::vector<api::TaskPtr>> Core::list_tasks(std::string_view domain) {
    const auto current = TRY(reign());
    return current->read([&](const World& world) { return world.tasks_of(domain); });
}

base::Result<void> Core::cancel_task(std::string_view task_guid) {
    return decide([&](const Context& ctx) { return model::cancel_task(ctx, task_guid); });
}

base::Result<void> Core::resolve_task(std::string_view task_guid) {
    return decide([&](const Context& ctx) { return model::resolve_task(ctx, task_guid); });
}

base::Result<void> Core::delete_task(std::string_view task_guid) {
    return decide([&](const Context& ctx) { return model::delete_task(ctx, task_guid); });
}

base::Result<void> Core::desire_lrp(api::DesiredLrp desired) {
    return decide([&](const Context& ctx) { return model::desire_lrp(ctx, std::move(desired)); });
}

base::Result<api::DesiredPtr> Core::find_desired_lrp(std::string_view process_guid) {
    const auto current = TRY(reign());
    auto desired =
            TRY(current->read([&](const World& world) { return world.desired(process_guid); }));
    if (!desired) return make_error(api::kResourceNotFound, process_guid);
    return desired;
}

base::Result<std::vector<api::DesiredPtr>> Core::list_desired_lrps(std::string_view domain) {
    const auto current = TRY(reign());
    return current->read([&](const World& world) { return world.desired_of(domain); });
}

base::Result<void> Core::update_desired_lrp(
        std::string_view process_guid, const api::DesiredLrpUpdate& update) {
    return decide([&](const Context& ctx) {
        return model::update_desired_lrp(ctx, process_guid, update);
    });
}

base::Result<void> Core::remove_desired_lrp(std::string_view process_guid) {
    return decide([&](const Context& ctx) { return model::remove_desired_lrp(ctx, process_guid); });
}

base::Result<std::vector<api::ActualLrpGroup>> Core::list_actual_lrps(std::string_view domain) {
    const auto current = TRY(reign());
    return current->read([&](const World& world) { return world.groups_of_domain(domain); });
}

base::Result<std::vector<api::ActualLrpGroup>> Core::list_actual_lrps_of(
        std::string_view process_guid) {
    const auto current = TRY(reign());
    return current->read([&](const World& world) { return world.groups_of_process(process_guid); });
}

base::Result<api::ActualLrpGroup> Core::find_actual_lrp(
        std::string_view process_guid, std::int32_t index) {
    const auto current = TRY(reign());
    auto group = TRY(
            current->read([&](const World& world) { return world.group(process_guid, index); }));
    if (!group.ordinary && !group.evacuating && !group.suspect)
        return make_error(api::kResourceNotFound, fmt::format("{}, index {}", process_guid, index));
    return group;
}

base::Result<void> Core::retire_actual_lrp(std::string_view process_guid, std::int32_t index) {
    return decide([&](const Context& ctx) { return model::retire_lrp(ctx, process_guid, index); });
}

base::Result<std::vector<api::CellPresence>> Core::list_cells() {
    const auto current = TRY(reign());
    const auto cells = TRY(current->read([](const World& world) { return world.cells(); }));
    std::vector<api::CellPresence> presences;
    presences.reserve(cells.size());
    for (const auto& cell : cells) presences.push_back(cell->presence);
    return presences;
}

base::Result<void> Core::upsert_domain(std::string_view name, std::chrono::seconds time_to_live) {
    return decide(
            [&](const Context& ctx) { return model::upsert_domain(ctx, name, time_to_live); });
}

base::Result<std::vector<std::string>> Core::fresh_domains() {
    const auto current = TRY(reign());
    const auto names = TRY(current->read([](const World& world) { return world.domains(); }));
    const auto now = current->wall();
    std::vector<std::string> fresh;
    for (const auto& domain : names)
        if (model::is_fresh(*domain, now)) fresh.push_back(domain->name);
    return fresh;
}

base::Result<std::unique_ptr<api::EventStream>> Core::subscribe() {
    const auto current = TRY(reign());
    return current->subscribe();
}

}  // namespace brain::core
