// Which containers and records disagree.
#include "rep/plan/harmony.hpp"

#include "brain/api/digest.hpp"
#include "rep/plan/convert.hpp"
#include "rep/plan/identity.hpp"

#include <map>
#include <optional>
#include <set>
#include <unordered_map>

namespace rep::plan {

namespace {

using brain::api::ActualLrp;
using brain::api::LrpState;
using brain::api::Presence;
using brain::api::Task;
using brain::api::TaskState;
using executor::api::Container;
using executor::api::State;

// What the brain's record says when nothing is left to do; nothing while something is.
std::optional<ActualLrp> expected_lrp(const Container& c, const Cell& cell) {
    if (c.state == State::reserved || c.state == State::completed || c.state == State::invalid)
        return std::nullopt;
    auto key = lrp_key_of(c);
    if (!key) return std::nullopt;
    auto running = running_lrp(c, *key, cell);
    ActualLrp out;
    out.key = std::move(running.key);
    out.instance = std::move(running.instance);
    out.state = c.state == State::running ? LrpState::running : LrpState::claimed;
    if (c.state != State::running) return out;
    out.net_info = std::move(running.net_info);
    out.internal_routes = std::move(running.internal_routes);
    out.metric_tags = std::move(running.metric_tags);
    out.routable = running.routable;
    out.availability_zone = std::move(running.availability_zone);
    return out;
}

std::optional<Task> expected_task(const Container& c, const Cell& cell) {
    if (c.state == State::reserved || c.state == State::completed || c.state == State::invalid)
        return std::nullopt;
    Task out;
    out.task_guid = c.guid;
    out.cell_id = cell.id;
    out.state = TaskState::running;
    return out;
}

struct Records {
    const ActualLrp* ordinary = nullptr;
    const ActualLrp* evacuating = nullptr;
    const ActualLrp* suspect = nullptr;
    const Task* task = nullptr;
};

std::unordered_map<std::string, Records> by_guid(const World& world, const Cell& cell) {
    std::unordered_map<std::string, Records> out;
    for (const auto& lrp : world.lrps) {
        if (!counts_for(lrp, cell.id)) continue;
        auto& records = out[lrp.instance.instance_guid];
        switch (lrp.presence) {
            case Presence::ordinary:
                records.ordinary = &lrp;
                break;
            case Presence::evacuating:
                records.evacuating = &lrp;
                break;
            case Presence::suspect:
                records.suspect = &lrp;
                break;
        }
    }
    for (const auto& task : world.tasks)
        if (counts_for(task, cell.id)) out[task.task_guid].task = &task;
    return out;
}

bool agrees(const Container& c, const Records& records, const Cell& cell) {
    if (lifecycle_of(c) == Lifecycle::task) return expected_task(c, cell) && records.task;
    const auto expected = expected_lrp(c, cell);
    if (!expected) return false;
    // The brain took us for lost and found us again: it promotes or replaces by itself, and
    // ignores what a suspect says (lifecycle §4.2).
    if (!records.ordinary && records.suspect) return true;
    if (!records.ordinary) return false;
    brain::api::Digest theirs;
    theirs.add(*records.ordinary);
    brain::api::Digest ours;
    ours.add(*expected);
    return ours == theirs;
}

std::optional<Operation> for_container(
        const Container& c, const Records& records, const Cell& cell, bool evacuating) {
    const auto lifecycle = lifecycle_of(c);
    if (lifecycle == Lifecycle::none) return std::nullopt;
    Operation out;
    out.guid = c.guid;
    // Only the brain knows whether a replacement runs by now: asked each round.
    if (evacuating && lifecycle == Lifecycle::lrp) return out;
    if (!agrees(c, records, cell)) return out;
    if (lifecycle == Lifecycle::lrp && records.ordinary && records.evacuating) {
        out.kind = Operation::Kind::residual_lrp;
        out.key = records.evacuating->key;
        out.evacuating = true;
        return out;
    }
    return std::nullopt;
}

Operation residual(const std::string& guid, const Records& records) {
    Operation out;
    out.guid = guid;
    if (records.task) {
        out.kind = Operation::Kind::residual_task;
        return out;
    }
    out.kind = Operation::Kind::residual_lrp;
    for (const auto* record : {records.suspect, records.evacuating, records.ordinary})
        if (record) out.key = record->key;
    out.ordinary = records.ordinary != nullptr;
    out.evacuating = records.evacuating != nullptr;
    out.suspect = records.suspect != nullptr;
    return out;
}

}  // namespace

std::vector<Operation> plan(const World& world, const Cell& cell, bool evacuating) {
    auto records = by_guid(world, cell);
    std::map<std::string, Operation> out;
    for (const auto& c : world.containers) {
        Records ours;
        if (const auto found = records.find(c.guid); found != records.end()) {
            ours = found->second;
            records.erase(found);
        }
        if (auto operation = for_container(c, ours, cell, evacuating))
            out.emplace(c.guid, std::move(*operation));
    }
    for (const auto& [guid, left] : records) out.emplace(guid, residual(guid, left));
    std::vector<Operation> list;
    list.reserve(out.size());
    for (auto& [guid, operation] : out) list.push_back(std::move(operation));
    return list;
}

std::string expected_digest(
        const std::vector<Container>& containers, const Cell& cell, bool evacuating) {
    if (evacuating) return {};
    brain::api::Digest sum;
    for (const auto& c : containers) {
        switch (lifecycle_of(c)) {
            case Lifecycle::none:
                break;
            case Lifecycle::lrp: {
                const auto lrp = expected_lrp(c, cell);
                if (!lrp) return {};
                sum.add(*lrp);
                break;
            }
            case Lifecycle::task: {
                const auto task = expected_task(c, cell);
                if (!task) return {};
                sum.add(*task);
                break;
            }
        }
    }
    return sum.text();
}

}  // namespace rep::plan
