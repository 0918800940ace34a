#include "reference.hpp"

#include <algorithm>

namespace test {

using api::ActualLrp;
using api::InstanceKey;
using api::LrpKey;
using api::LrpState;
using api::Presence;
using api::Task;
using api::TaskState;

namespace {

std::string name(std::string_view refusal) {
    return std::string(refusal);
}

std::string at(const std::string& guid, int index) {
    return guid + "/" + std::to_string(index);
}

bool placed(const ActualLrp& row) {
    return row.state == LrpState::claimed || row.state == LrpState::running;
}

// The tests use hostnames h1, h2 only, in one form of JSON.
std::vector<api::InternalRoute> hostnames(const api::DesiredLrp& lrp) {
    std::vector<api::InternalRoute> out;
    const auto found = lrp.routes.find("internal-routes");
    if (found == lrp.routes.end()) return out;
    for (const auto* host : {"h1", "h2"})
        if (found->second.find(host) != std::string::npos) out.push_back({.hostname = host});
    return out;
}

}  // namespace

ActualLrp* Reference::row(const std::string& guid, int index, Presence presence) {
    for (auto& r : rows)
        if (r.key.process_guid == guid && r.key.index == index && r.presence == presence) return &r;
    return nullptr;
}

ActualLrp* Reference::of_instance(const std::string& guid, int index, const InstanceKey& instance) {
    for (const auto presence : {Presence::ordinary, Presence::evacuating, Presence::suspect})
        if (auto* r = row(guid, index, presence); r != nullptr && r->instance == instance) return r;
    return nullptr;
}

void Reference::drop(const std::string& guid, int index, Presence presence) {
    std::erase_if(rows, [&](const ActualLrp& r) {
        return r.key.process_guid == guid && r.key.index == index && r.presence == presence;
    });
}

api::DesiredLrp* Reference::find_desired(const std::string& guid) {
    for (auto& lrp : desired)
        if (lrp.process_guid == guid) return &lrp;
    return nullptr;
}

ActualLrp Reference::fresh_row(const LrpKey& key) {
    ActualLrp out;
    out.key = key;
    out.state = LrpState::unclaimed;
    out.since = now;
    out.routable = false;
    out.modification_tag.epoch = "reference-" + std::to_string(epochs++);
    return out;
}

void Reference::offer(const std::string& guid, int index) {
    if (find_desired(guid) != nullptr) effects.insert("offer " + at(guid, index));
}

void Reference::stop(const ActualLrp& r) {
    effects.insert("stop " + at(r.key.process_guid, r.key.index) + " " + r.instance.instance_guid);
}

void Reference::unclaim(ActualLrp& r) {
    r.state = LrpState::unclaimed;
    r.instance = {};
    r.net_info = {};
    r.since = now;
    r.modification_tag.index++;
}

void Reference::crash(ActualLrp& r, const std::string& reason) {
    const bool long_ago = r.state == LrpState::running && now - r.since > limits.crash_reset_ns;
    const int count = long_ago ? 1 : r.crash_count + 1;
    unclaim(r);
    r.crash_count = count;
    r.crash_reason = reason;
    if (count >= 3) r.state = LrpState::crashed;
}

void Reference::run(ActualLrp& r, const api::RunningLrp& running) {
    r.state = LrpState::running;
    r.instance = running.instance;
    r.net_info = running.net_info;
    r.internal_routes = running.internal_routes;
    r.metric_tags = running.metric_tags;
    r.routable = running.routable;
    r.availability_zone = running.availability_zone;
    r.placement_error = "";
}

void Reference::stop_all_from(const std::string& guid, int first) {
    for (const auto& r : rows)
        if (r.key.process_guid == guid && r.key.index >= first &&
            r.presence != Presence::evacuating && placed(r))
            stop(r);
    std::erase_if(rows, [&](const ActualLrp& r) {
        return r.key.process_guid == guid && r.key.index >= first &&
               r.presence != Presence::evacuating && !placed(r);
    });
}

std::string Reference::desire(api::DesiredLrp lrp) {
    if (find_desired(lrp.process_guid) != nullptr) return name(api::kResourceExists);
    lrp.modification_tag = {.epoch = "reference-" + std::to_string(epochs++), .index = 0};
    desired.push_back(lrp);
    for (int i = 0; i < lrp.instances; ++i) {
        if (row(lrp.process_guid, i, Presence::ordinary) != nullptr) continue;
        rows.push_back(
                fresh_row({.process_guid = lrp.process_guid, .index = i, .domain = lrp.domain}));
        offer(lrp.process_guid, i);
    }
    return "";
}

std::string Reference::update(const std::string& guid, const api::DesiredLrpUpdate& given) {
    auto* lrp = find_desired(guid);
    if (lrp == nullptr) return name(api::kResourceNotFound);
    const auto old = *lrp;
    if (given.instances) lrp->instances = *given.instances;
    if (given.routes) lrp->routes = *given.routes;
    if (given.annotation) lrp->definition.annotation = *given.annotation;
    if (given.metric_tags) lrp->definition.metric_tags = *given.metric_tags;
    lrp->modification_tag.index++;
    for (int i = old.instances; i < lrp->instances; ++i) {
        if (row(guid, i, Presence::ordinary) != nullptr) continue;
        rows.push_back(fresh_row({.process_guid = guid, .index = i, .domain = lrp->domain}));
        offer(guid, i);
    }
    if (lrp->instances < old.instances) stop_all_from(guid, lrp->instances);
    if (hostnames(old) != hostnames(*lrp) ||
        old.definition.metric_tags != lrp->definition.metric_tags)
        for (const auto& r : rows)
            if (r.key.process_guid == guid && r.key.index < lrp->instances && placed(r) &&
                r.presence != Presence::evacuating)
                effects.insert("update " + at(guid, r.key.index) + r.instance.instance_guid);
    return "";
}

std::string Reference::remove_desired(const std::string& guid) {
    if (find_desired(guid) == nullptr) return name(api::kResourceNotFound);
    std::erase_if(desired, [&](const auto& lrp) { return lrp.process_guid == guid; });
    stop_all_from(guid, 0);
    return "";
}

std::string Reference::claim(const LrpKey& key, const InstanceKey& instance) {
    const auto* suspect = row(key.process_guid, key.index, Presence::suspect);
    auto* r = row(key.process_guid, key.index, Presence::ordinary);
    // Who holds both rows cannot be; the ordinary one is looked at first.
    if (suspect != nullptr && suspect->instance == instance &&
        !(r != nullptr && r->instance == instance))
        return "";
    if (r == nullptr) return name(api::kResourceNotFound);
    const bool same = r->instance == instance;
    if (r->key == key && r->state == LrpState::claimed && same) return "";
    const bool may = r->state == LrpState::unclaimed || (r->state == LrpState::running && same);
    if (r->key != key || !may) return name(api::kCannotBeClaimed);
    r->state = LrpState::claimed;
    r->instance = instance;
    r->net_info = {};
    r->placement_error = "";
    r->since = now;
    r->modification_tag.index++;
    return "";
}

std::string Reference::start(const api::RunningLrp& running) {
    const auto& key = running.key;
    const auto* suspect = row(key.process_guid, key.index, Presence::suspect);
    auto* r = row(key.process_guid, key.index, Presence::ordinary);
    if (suspect != nullptr && suspect->instance == running.instance &&
        !(r != nullptr && r->instance == running.instance))
        return "";
    if (r == nullptr) {
        auto created = fresh_row(key);
        run(created, running);
        rows.push_back(created);
    } else {
        const bool same = r->instance == running.instance;
        const bool may = r->state == LrpState::unclaimed || r->state == LrpState::claimed ||
                         (r->state == LrpState::running && same);
        if (r->key != key || !may) return name(api::kCannotBeStarted);
        auto after = *r;
        run(after, running);
        if (!(after == *r)) {
            if (r->state != LrpState::running) after.since = now;
            after.modification_tag.index++;
            *r = after;
        }
    }
    drop(key.process_guid, key.index, Presence::evacuating);
    drop(key.process_guid, key.index, Presence::suspect);
    return "";
}

std::string Reference::crash(const LrpKey& key, const InstanceKey& instance, std::string reason) {
    auto* r = row(key.process_guid, key.index, Presence::ordinary);
    const auto* suspect = row(key.process_guid, key.index, Presence::suspect);
    if (suspect != nullptr && suspect->instance == instance &&
        !(r != nullptr && r->instance == instance)) {
        drop(key.process_guid, key.index, Presence::suspect);
        return "";
    }
    if (r == nullptr) return name(api::kResourceNotFound);
    if (r->key != key || r->instance != instance || !placed(*r)) return name(api::kCannotBeCrashed);
    crash(*r, reason);
    if (r->state == LrpState::unclaimed) offer(key.process_guid, key.index);
    return "";
}

std::string Reference::fail(const LrpKey& key, std::string error) {
    auto* r = row(key.process_guid, key.index, Presence::ordinary);
    if (r == nullptr) return name(api::kResourceNotFound);
    if (r->key != key || r->state != LrpState::unclaimed) return name(api::kCannotBeFailed);
    r->placement_error = error;
    r->since = now;
    r->modification_tag.index++;
    return "";
}

std::string Reference::remove(const LrpKey& key, const InstanceKey& instance) {
    const auto* r = row(key.process_guid, key.index, Presence::ordinary);
    if (r == nullptr) return name(api::kResourceNotFound);
    if (!instance.empty() && r->instance != instance) return name(api::kResourceNotFound);
    drop(key.process_guid, key.index, Presence::ordinary);
    return "";
}

std::string Reference::retire(const std::string& guid, int index) {
    const auto* r = row(guid, index, Presence::ordinary);
    if (r == nullptr) return name(api::kResourceNotFound);
    if (placed(*r) && cells.contains(r->instance.cell_id))
        stop(*r);
    else
        drop(guid, index, Presence::ordinary);
    return "";
}

std::string Reference::evacuate_claimed(const LrpKey& key, const InstanceKey& instance) {
    answer = false;
    auto* r = of_instance(key.process_guid, key.index, instance);
    if (r == nullptr) return name(api::kResourceNotFound);
    if (r->presence == Presence::ordinary) {
        unclaim(*r);
        offer(key.process_guid, key.index);
    } else {
        drop(key.process_guid, key.index, r->presence);
    }
    return "";
}

std::string Reference::evacuate_stopped(const LrpKey& key, const InstanceKey& instance) {
    answer = false;
    const auto* r = of_instance(key.process_guid, key.index, instance);
    if (r == nullptr) return name(api::kResourceNotFound);
    drop(key.process_guid, key.index, r->presence);
    return "";
}

std::string Reference::evacuate_crashed(
        const LrpKey& key, const InstanceKey& instance, std::string reason) {
    answer = false;
    auto* r = of_instance(key.process_guid, key.index, instance);
    if (r == nullptr) return name(api::kResourceNotFound);
    if (r->presence == Presence::ordinary)
        crash(*r, reason);
    else
        drop(key.process_guid, key.index, r->presence);
    return "";
}

std::string Reference::remove_evacuating(const LrpKey& key, const InstanceKey& instance) {
    const auto* r = row(key.process_guid, key.index, Presence::evacuating);
    if (r == nullptr || r->instance != instance) return name(api::kResourceNotFound);
    drop(key.process_guid, key.index, Presence::evacuating);
    return "";
}

std::string Reference::evacuate_running(const api::RunningLrp& running) {
    const auto guid = running.key.process_guid;
    const int index = running.key.index;
    answer = false;
    auto* ordinary = row(guid, index, Presence::ordinary);
    auto* evacuating = row(guid, index, Presence::evacuating);
    const auto* suspect = row(guid, index, Presence::suspect);
    if (ordinary == nullptr && evacuating == nullptr && suspect == nullptr) return "";  // 1
    const auto* caller = of_instance(guid, index, running.instance);
    const bool is_evacuating = caller != nullptr && caller->presence == Presence::evacuating;
    auto* lrp = find_desired(guid);
    const bool other_runs =
            ordinary != nullptr && ordinary->instance != running.instance &&
            (ordinary->state == LrpState::running || ordinary->state == LrpState::crashed);
    if (ordinary == nullptr || other_runs || lrp == nullptr) {  // 2, 3
        if (is_evacuating) drop(guid, index, Presence::evacuating);
        return "";
    }
    if (lrp->update_strategy == api::UpdateStrategy::recreate) {  // 4
        if (caller == nullptr) return "";
        if (caller->presence != Presence::ordinary) {
            drop(guid, index, caller->presence);
            return "";
        }
        for (int i = 0; i < lrp->instances; ++i) {
            const auto* r = row(guid, i, Presence::ordinary);
            if (r == nullptr || r->state != LrpState::running) answer = true;
        }
        if (answer) return "";
        unclaim(*ordinary);
        offer(guid, index);
        return "";
    }
    auto copy = fresh_row(ordinary->key);
    run(copy, running);
    copy.presence = Presence::evacuating;
    if (caller == nullptr || is_evacuating) {  // 5
        if (evacuating != nullptr && evacuating->instance != running.instance) return "";
        answer = true;
        if (evacuating == nullptr) {
            rows.push_back(copy);
            return "";
        }
        auto after = *evacuating;
        run(after, running);
        if (!(after == *evacuating)) after.modification_tag.index++;
        *evacuating = after;
        return "";
    }
    answer = true;  // 6
    if (caller->presence == Presence::suspect) {
        drop(guid, index, Presence::suspect);
    } else {
        unclaim(*ordinary);
        offer(guid, index);
    }
    drop(guid, index, Presence::evacuating);
    rows.push_back(copy);
    return "";
}

void Reference::upsert_domain(const std::string& domain, std::int64_t seconds) {
    std::erase_if(domains, [&](const auto& d) { return d.first == domain; });
    domains.emplace_back(domain, seconds == 0 ? 0 : now + seconds * 1'000'000'000);
}

bool Reference::fresh_domain(const std::string& domain) const {
    const std::int64_t rounded = (now + 500'000'000) / 1'000'000'000 * 1'000'000'000;
    return std::ranges::any_of(domains, [&](const auto& d) {
        return d.first == domain && (d.second == 0 || d.second > rounded);
    });
}

// "Older than an interval", once for each interval behind `previous`.
bool Reference::has_turn(std::int64_t from, std::int64_t interval, std::int64_t previous) const {
    for (std::int64_t turn = from + interval + 1; turn <= now; turn += interval)
        if (turn > previous) return true;
    return false;
}

}  // namespace test
