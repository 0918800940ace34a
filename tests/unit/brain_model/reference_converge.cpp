// lifecycle §2 and §5.
#include "reference.hpp"

#include <algorithm>

namespace test {

using api::ActualLrp;
using api::LrpState;
using api::Presence;
using api::Task;
using api::TaskState;

Task* Reference::find_task(const std::string& guid) {
    for (auto& t : tasks)
        if (t.task_guid == guid) return &t;
    return nullptr;
}

void Reference::tell(const Task& t) {
    if (!t.task_definition.completion_callback_url.empty()) effects.insert("tell " + t.task_guid);
}

void Reference::complete(Task& t, bool failed, std::string reason, std::string result, bool tells) {
    t.state = TaskState::completed;
    t.failed = failed;
    t.failure_reason = reason;
    t.result = result;
    t.first_completed_at = t.updated_at = now;
    if (!tells) return;
    t.cell_id = "";
    tell(t);
}

std::string Reference::desire_task(Task given) {
    if (find_task(given.task_guid) != nullptr) return std::string(api::kResourceExists);
    given.state = TaskState::pending;
    given.created_at = given.updated_at = now;
    tasks.push_back(given);
    effects.insert("offer task " + given.task_guid);
    return "";
}

std::string Reference::start_task(const std::string& guid, const std::string& cell) {
    answer = false;
    auto* t = find_task(guid);
    if (t == nullptr) return std::string(api::kResourceNotFound);
    if (t->state == TaskState::running && t->cell_id == cell) return "";
    if (t->state != TaskState::pending) return std::string(api::kInvalidStateTransition);
    t->state = TaskState::running;
    t->cell_id = cell;
    t->updated_at = now;
    answer = true;
    return "";
}

std::string Reference::complete_task(const api::TaskOutcome& outcome) {
    auto* t = find_task(outcome.task_guid);
    if (t == nullptr) return std::string(api::kResourceNotFound);
    if (t->state != TaskState::running) return std::string(api::kInvalidStateTransition);
    if (t->cell_id != outcome.cell_id) return std::string(api::kRunningOnDifferentCell);
    complete(*t, outcome.failed, outcome.failure_reason, outcome.result, true);
    return "";
}

std::string Reference::cancel_task(const std::string& guid) {
    auto* t = find_task(guid);
    if (t == nullptr) return std::string(api::kResourceNotFound);
    if (t->state != TaskState::pending && t->state != TaskState::running)
        return std::string(api::kInvalidStateTransition);
    if (t->state == TaskState::running) effects.insert("cancel " + guid + " on " + t->cell_id);
    complete(*t, true, "task was cancelled", "", true);
    return "";
}

std::string Reference::fail_task(const std::string& guid, const std::string& reason) {
    auto* t = find_task(guid);
    if (t == nullptr) return std::string(api::kResourceNotFound);
    if (t->state != TaskState::pending && t->state != TaskState::running)
        return std::string(api::kInvalidStateTransition);
    complete(*t, true, reason, "", true);
    return "";
}

std::string Reference::reject_task(const std::string& guid, const std::string& reason) {
    auto* t = find_task(guid);
    if (t == nullptr) return std::string(api::kResourceNotFound);
    if (t->state != TaskState::pending && t->state != TaskState::running)
        return std::string(api::kInvalidRequest);
    const int before = t->rejection_count;
    t->rejection_count++;
    t->rejection_reason = reason;
    t->state = TaskState::pending;
    t->updated_at = now;
    if (before >= 3) complete(*t, true, reason, "", true);
    return "";
}

std::string Reference::resolve_task(const std::string& guid) {
    auto* t = find_task(guid);
    if (t == nullptr) return std::string(api::kResourceNotFound);
    if (t->state != TaskState::completed) return std::string(api::kInvalidStateTransition);
    t->state = TaskState::resolving;
    t->updated_at = now;
    return "";
}

std::string Reference::delete_task(const std::string& guid) {
    auto* t = find_task(guid);
    if (t == nullptr) return std::string(api::kResourceNotFound);
    if (t->state != TaskState::resolving) return std::string(api::kInvalidStateTransition);
    std::erase_if(tasks, [&](const Task& each) { return each.task_guid == guid; });
    return "";
}

void Reference::converge_tasks(std::int64_t previous) {
    const auto kick = limits.task_kick_ns;
    std::vector<std::string> failed_now;
    for (auto& t : tasks) {
        if (t.state == TaskState::pending && now - t.created_at > limits.pending_task_ns) {  // 2
            complete(t, true, "not started within time limit", "", false);
            failed_now.push_back(t.task_guid);
        } else if (t.state == TaskState::pending) {  // 3
            if (has_turn(t.updated_at, kick, previous)) effects.insert("offer task " + t.task_guid);
        } else if (t.state == TaskState::running && !cells.contains(t.cell_id)) {  // 4
            complete(t, true, "cell disappeared before completion", "", false);
            failed_now.push_back(t.task_guid);
        }
    }
    std::vector<std::string> demoted;
    for (auto& t : tasks)  // 5
        if (t.state == TaskState::resolving && now - t.updated_at > kick) {
            t.state = TaskState::completed;
            demoted.push_back(t.task_guid);
        }
    std::erase_if(tasks, [&](const Task& t) {  // 6
        return t.state == TaskState::completed &&
               now - t.first_completed_at > limits.completed_task_ns;
    });
    for (auto& t : tasks)  // 7
        if (t.state == TaskState::completed &&
            (has_turn(t.updated_at, kick, previous) ||
             std::ranges::find(demoted, t.task_guid) != demoted.end()))
            tell(t);
}

void Reference::converge(std::int64_t previous) {
    std::set<std::string> fresh;
    for (const auto& [domain, expiry] : domains)
        if (fresh_domain(domain)) fresh.insert(domain);
    std::erase_if(domains, [&](const auto& d) { return d.second != 0 && d.second <= now; });
    std::erase_if(rows, [&](const ActualLrp& r) {  // 2
        return r.presence == Presence::evacuating && !cells.contains(r.instance.cell_id);
    });
    std::set<std::pair<std::string, int>> indices;
    for (const auto& r : rows) indices.emplace(r.key.process_guid, r.key.index);
    for (const auto& lrp : desired)
        for (int i = 0; i < lrp.instances; ++i) indices.emplace(lrp.process_guid, i);
    for (const auto& [guid, index] : indices) converge_index(fresh, guid, index, previous);
    converge_tasks(previous);
}

void Reference::converge_index(
        const std::set<std::string>& fresh,
        const std::string& guid,
        int index,
        std::int64_t previous) {
    const auto present = [&](const ActualLrp* r) { return cells.contains(r->instance.cell_id); };
    auto* lrp = find_desired(guid);
    const auto* ordinary = row(guid, index, Presence::ordinary);
    auto* suspect = row(guid, index, Presence::suspect);
    // 9: what runs in its place makes a suspect superfluous.
    if (suspect != nullptr && ordinary != nullptr && ordinary->state == LrpState::running &&
        present(ordinary))
        drop(guid, index, Presence::suspect);
    // 8
    suspect = row(guid, index, Presence::suspect);
    if (suspect != nullptr && lrp == nullptr && fresh.contains(suspect->key.domain))
        drop(guid, index, Presence::suspect);
    const bool too_many = lrp != nullptr && index >= lrp->instances && fresh.contains(lrp->domain);
    suspect = row(guid, index, Presence::suspect);
    if (suspect != nullptr && too_many && !present(suspect)) drop(guid, index, Presence::suspect);
    // 10
    suspect = row(guid, index, Presence::suspect);
    if (suspect != nullptr && present(suspect)) {
        drop(guid, index, Presence::ordinary);
        suspect = row(guid, index, Presence::suspect);
        suspect->presence = Presence::ordinary;
        if (too_many) stop(*suspect);
        return;
    }
    auto* r = row(guid, index, Presence::ordinary);
    // 6, 7
    const bool orphan = lrp == nullptr && r != nullptr && fresh.contains(r->key.domain);
    if (r != nullptr && (orphan || too_many)) {
        (void)retire(guid, index);
        return;
    }
    if (lrp == nullptr) return;
    if (r != nullptr) return converge_ordinary(*r, *lrp, previous);
    if (index >= lrp->instances) return;
    rows.push_back(fresh_row({.process_guid = guid, .index = index, .domain = lrp->domain}));
    offer(guid, index);
}

void Reference::converge_ordinary(ActualLrp& r, api::DesiredLrp& lrp, std::int64_t previous) {
    const auto key = r.key;
    const bool waits = r.state == LrpState::unclaimed || r.state == LrpState::crashed;
    if (waits && r.key.domain != lrp.domain) {  // no cell could claim it
        r = fresh_row({.process_guid = key.process_guid, .index = key.index, .domain = lrp.domain});
        offer(key.process_guid, key.index);
        return;
    }
    if (r.state == LrpState::unclaimed) {  // 4
        if (has_turn(r.since, limits.stale_unclaimed_ns, previous))
            offer(key.process_guid, key.index);
        return;
    }
    if (r.state == LrpState::crashed) {  // 12
        static const std::vector<std::int64_t> kWaits = {0, 0, 0, 30, 60, 120, 240, 480, 960};
        const auto known = std::min<std::size_t>(static_cast<std::size_t>(r.crash_count), 8);
        if (r.crash_count >= 200 || now < r.since + kWaits[known] * 1'000'000'000) return;
        unclaim(r);
        offer(key.process_guid, key.index);
        return;
    }
    if (!cells.contains(r.instance.cell_id)) {  // 5
        if (row(key.process_guid, key.index, Presence::suspect) != nullptr) {
            unclaim(r);
            return;
        }
        r.presence = Presence::suspect;
        rows.push_back(fresh_row(key));
        offer(key.process_guid, key.index);
        return;
    }
    if (r.state != LrpState::running) return;
    // 13, 14
    std::set<std::string> is, should;
    for (const auto& route : r.internal_routes) is.insert(route.hostname);
    const auto found = lrp.routes.find("internal-routes");
    for (const auto* host : {"h1", "h2"})
        if (found != lrp.routes.end() && found->second.find(host) != std::string::npos)
            should.insert(host);
    api::MetricTags tags;
    for (const auto& [tag, value] : lrp.definition.metric_tags)
        tags[tag] = value.dynamic == api::DynamicTag::index           ? std::to_string(key.index)
                    : value.dynamic == api::DynamicTag::instance_guid ? r.instance.instance_guid
                                                                      : value.fixed;
    if (is != should || tags != r.metric_tags)
        effects.insert(
                "update " + key.process_guid + "/" + std::to_string(key.index) +
                r.instance.instance_guid);
}

}  // namespace test
