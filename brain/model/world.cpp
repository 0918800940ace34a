// Reading the tables.
#include "brain/model/world.hpp"

#include "brain/model/world_impl.hpp"

namespace brain::model {

World::World() : impl_(std::make_unique<Impl>()) {}

World::~World() = default;
World::World(World&&) noexcept = default;
World& World::operator=(World&&) noexcept = default;

namespace {

template <class Map>
auto find_record(const Map& records, std::string_view name) {
    const auto found = records.find(name);
    return found == records.end() ? typename Map::mapped_type() : found->second;
}

template <class Ptr>
std::vector<Ptr> values(const ByName<Ptr>& records) {
    std::vector<Ptr> out;
    out.reserve(records.size());
    for (const auto& [name, record] : records) out.push_back(record);
    return out;
}

std::vector<TaskPtr> tasks_in_index(const std::set<const TaskRow*, ByKey>& index) {
    std::vector<TaskPtr> out;
    out.reserve(index.size());
    for (const auto* row : index) out.push_back(row->task);
    return out;
}

void put(api::ActualLrpGroup& group, const ActualPtr& lrp) {
    switch (lrp->presence) {
        case api::Presence::ordinary:
            group.ordinary = lrp;
            break;
        case api::Presence::evacuating:
            group.evacuating = lrp;
            break;
        case api::Presence::suspect:
            group.suspect = lrp;
            break;
    }
}

// "" as domain: of every one.
void append_groups(
        std::vector<api::ActualLrpGroup>& out, const Process& process, std::string_view domain) {
    std::optional<std::int32_t> last;
    for (const auto& [place, row] : process.rows) {
        if (!domain.empty() && row.lrp->key.domain != domain) continue;
        if (last != place.first) out.emplace_back();
        last = place.first;
        put(out.back(), row.lrp);
    }
}

ProcessView view_of(const std::string& guid, const Process& process) {
    ProcessView view{
            .process_guid = guid,
            .desired = process.desired,
            .rows = {},
            .version = process.version};
    view.rows.reserve(process.rows.size());
    for (const auto& [place, row] : process.rows) view.rows.push_back(row.lrp);
    return view;
}

}  // namespace

DesiredPtr World::desired(std::string_view process_guid) const {
    const auto found = impl_->processes.find(process_guid);
    return found == impl_->processes.end() ? nullptr : found->second.desired;
}

TaskPtr World::task(std::string_view task_guid) const {
    const auto found = impl_->tasks.find(task_guid);
    return found == impl_->tasks.end() ? nullptr : found->second.task;
}

DomainPtr World::domain(std::string_view name) const {
    return find_record(impl_->domain_records, name);
}

CellPtr World::cell(std::string_view cell_id) const {
    return find_record(impl_->cell_records, cell_id);
}

api::ActualLrpGroup World::group(std::string_view process_guid, std::int32_t index) const {
    api::ActualLrpGroup out;
    const auto found = impl_->processes.find(process_guid);
    if (found == impl_->processes.end()) return out;
    const auto& rows = found->second.rows;
    const auto first = rows.lower_bound({index, api::Presence::ordinary});
    for (auto at = first; at != rows.end() && at->first.first == index; ++at)
        put(out, at->second.lrp);
    return out;
}

std::vector<DesiredPtr> World::desired_of(std::string_view domain) const {
    std::vector<DesiredPtr> out;
    if (domain.empty()) {
        out.reserve(impl_->counts.desired_lrps);
        for (const auto& [guid, process] : impl_->processes)
            if (process.desired) out.push_back(process.desired);
        return out;
    }
    const auto found = impl_->of_domain.find(domain);
    if (found == impl_->of_domain.end()) return out;
    for (const auto* process : found->second.desired) out.push_back(process->desired);
    return out;
}

std::vector<api::ActualLrpGroup> World::groups_of_domain(std::string_view domain) const {
    std::vector<api::ActualLrpGroup> out;
    if (domain.empty()) {
        for (const auto& [guid, process] : impl_->processes) append_groups(out, process, domain);
        return out;
    }
    const auto found = impl_->of_domain.find(domain);
    if (found == impl_->of_domain.end()) return out;
    for (const auto& [guid, rows] : found->second.processes)
        append_groups(out, impl_->processes.find(guid)->second, domain);
    return out;
}

std::vector<api::ActualLrpGroup> World::groups_of_process(std::string_view process_guid) const {
    std::vector<api::ActualLrpGroup> out;
    const auto found = impl_->processes.find(process_guid);
    if (found != impl_->processes.end()) append_groups(out, found->second, {});
    return out;
}

std::vector<TaskPtr> World::tasks_of(std::string_view domain) const {
    if (!domain.empty()) {
        const auto found = impl_->of_domain.find(domain);
        return found == impl_->of_domain.end() ? std::vector<TaskPtr>()
                                               : tasks_in_index(found->second.tasks);
    }
    std::vector<TaskPtr> out;
    out.reserve(impl_->tasks.size());
    for (const auto& [guid, row] : impl_->tasks) out.push_back(row.task);
    return out;
}

std::vector<TaskPtr> World::tasks_in(api::TaskState state) const {
    return tasks_in_index(impl_->by_state[static_cast<std::size_t>(state)]);
}

std::vector<DomainPtr> World::domains() const {
    return values(impl_->domain_records);
}

std::vector<CellPtr> World::cells() const {
    return values(impl_->cell_records);
}

std::vector<ActualPtr> World::actuals_on(std::string_view cell_id) const {
    std::vector<ActualPtr> out;
    const auto found = impl_->on_cell.find(cell_id);
    if (found == impl_->on_cell.end()) return out;
    out.reserve(found->second.rows.size());
    for (const auto* row : found->second.rows) out.push_back(row->lrp);
    return out;
}

std::vector<TaskPtr> World::tasks_on(std::string_view cell_id) const {
    const auto found = impl_->on_cell.find(cell_id);
    return found == impl_->on_cell.end() ? std::vector<TaskPtr>()
                                         : tasks_in_index(found->second.tasks);
}

std::string World::digest(std::string_view cell_id) const {
    const auto found = impl_->on_cell.find(cell_id);
    return found == impl_->on_cell.end() ? api::Digest().text() : found->second.digest.text();
}

std::vector<std::string> World::cells_with_rows() const {
    std::vector<std::string> out;
    out.reserve(impl_->on_cell.size());
    for (const auto& [cell_id, rows] : impl_->on_cell) out.push_back(cell_id);
    return out;
}

std::vector<ProcessView> World::processes(std::string_view after, std::size_t limit) const {
    std::vector<ProcessView> out;
    auto at = after.empty() ? impl_->processes.begin() : impl_->processes.upper_bound(after);
    for (; at != impl_->processes.end() && out.size() < limit; ++at)
        out.push_back(view_of(at->first, at->second));
    return out;
}

ProcessView World::process(std::string_view process_guid) const {
    const auto found = impl_->processes.find(process_guid);
    if (found != impl_->processes.end()) return view_of(found->first, found->second);
    return {.process_guid = std::string(process_guid), .desired = {}, .rows = {}, .version = 0};
}

std::uint64_t World::version(std::string_view process_guid) const {
    const auto found = impl_->processes.find(process_guid);
    return found == impl_->processes.end() ? 0 : found->second.version;
}

Counts World::counts() const {
    return impl_->counts;
}

}  // namespace brain::model
