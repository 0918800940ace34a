#include "records.hpp"

namespace test {

namespace model = brain::model;

ActualLrp actual(
        const std::string& guid,
        std::int32_t index,
        LrpState state,
        const std::string& cell,
        Presence presence) {
    ActualLrp out;
    out.key = {.process_guid = guid, .index = index, .domain = "d"};
    if (!cell.empty())
        out.instance = {
                .instance_guid = guid + "-" + std::to_string(index) + "-" + cell, .cell_id = cell};
    out.state = state;
    if (state == LrpState::running) out.net_info.address = "10.0.0.1";
    out.presence = presence;
    out.modification_tag = {.epoch = "e-" + guid, .index = 1};
    out.routable = state == LrpState::running;
    return out;
}

DesiredLrp desired(const std::string& guid, std::int32_t instances) {
    DesiredLrp out;
    out.process_guid = guid;
    out.domain = "d";
    out.instances = instances;
    out.definition.rootfs = "preloaded:test";
    out.modification_tag.epoch = "t-" + guid;
    return out;
}

Task task(const std::string& guid, TaskState state, const std::string& cell) {
    Task out;
    out.task_guid = guid;
    out.domain = "d";
    out.state = state;
    out.cell_id = cell;
    out.task_definition.completion_callback_url = "http://127.0.0.1/done";
    return out;
}

ActualPtr put(World& world, ActualLrp lrp) {
    const auto group = world.group(lrp.key.process_guid, lrp.key.index);
    auto before = group.ordinary;
    if (lrp.presence == Presence::evacuating) before = group.evacuating;
    if (lrp.presence == Presence::suspect) before = group.suspect;
    auto after = std::make_shared<const ActualLrp>(std::move(lrp));
    world.apply(Changed<ActualPtr>{.before = before, .after = after});
    return after;
}

DesiredPtr put(World& world, DesiredLrp lrp) {
    auto after = std::make_shared<const DesiredLrp>(std::move(lrp));
    world.apply(Changed<DesiredPtr>{.before = world.desired(after->process_guid), .after = after});
    return after;
}

TaskPtr put(World& world, Task task) {
    auto after = std::make_shared<const Task>(std::move(task));
    world.apply(Changed<TaskPtr>{.before = world.task(after->task_guid), .after = after});
    return after;
}

void put_cell(World& world, const std::string& cell_id) {
    model::Cell cell;
    cell.presence.cell_id = cell_id;
    cell.owner = "rep of " + cell_id;
    world.apply(Changed<model::CellPtr>{
            .before = world.cell(cell_id), .after = std::make_shared<const model::Cell>(cell)});
}

void remove_cell(World& world, const std::string& cell_id) {
    world.apply(Changed<model::CellPtr>{.before = world.cell(cell_id), .after = nullptr});
}

void put_domain(World& world, const std::string& name, std::int64_t expires_at) {
    world.apply(Changed<model::DomainPtr>{
            .before = world.domain(name),
            .after = std::make_shared<const model::Domain>(
                    model::Domain{.name = name, .expires_at = expires_at})});
}

void apply(World& world, const model::Outcome& outcome) {
    for (const auto& change : outcome.changes) world.apply(change);
}

}  // namespace test
