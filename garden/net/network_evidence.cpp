// Evidence and integrity: what the rules counted and logged, and putting them back when somebody
// else has changed them.
#include "base/fail.hpp"
#include "garden/net/built_in.hpp"
#include "garden/net/links.hpp"

#include <algorithm>

namespace garden::net {

using base::Errc;
using base::Result;

namespace {

constexpr int kRepairTries = 5;

// What the kernel has of the chains and sets that are expected, and all chains besides.
Result<Content> read_content(
        Netlink& netfilter, const std::string& table, const Content& expected) {
    Content found;
    for (const TableFamily family : {TableFamily::inet, TableFamily::device}) {
        const auto chains = TRY(list_chains(netfilter, family, table));
        const auto counts = TRY(count_rules(netfilter, family, table));
        for (const std::string& chain : chains) {
            const auto count = counts.find(chain);
            found.chains[{family, chain}] = count == counts.end() ? 0 : count->second;
        }
    }
    for (const auto& [key, count] : expected.sets) {
        const auto& [family, set] = key;
        const auto elements = list_elements(netfilter, family, table, set);
        if (!elements && elements.error().kind == Errc::not_found) continue;
        if (!elements) return elements.error();
        found.sets[key] = elements->size();
    }
    return found;
}

Result<std::set<std::string>> interface_names() {
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    std::set<std::string> names;
    const auto links = TRY(list_links(route));
    for (const Link& link : links) names.insert(link.name);
    return names;
}

RuleCount row(std::string_view rule, bool allows, const Hits& hits) {
    return {.rule = std::string(rule),
            .allows = allows,
            .packets = hits.packets,
            .bytes = hits.bytes};
}

}  // namespace

Binding BuiltIn::binding_of(const ParsedLease& parsed) const {
    Binding binding = parsed.binding;
    if (parsed.placement.shared && !config_.isolate_shared_subnets)
        binding.group = parsed.placement.subnet;
    return binding;
}

void BuiltIn::note_applied(const Binding& binding) {
    log_.add(binding.id, addresses_of(binding));
    const std::lock_guard lock(mutex_);
    applied_.insert_or_assign(binding.id, Applied{.binding = binding, .rules = {}});
}

void BuiltIn::note_binding(const Binding& binding) {
    const std::lock_guard lock(mutex_);
    const auto found = applied_.find(binding.id);
    if (found != applied_.end()) found->second.binding = binding;
}

Group BuiltIn::note_removed(std::string_view id) {
    log_.remove(std::string(id));
    const std::lock_guard lock(mutex_);
    const auto found = applied_.find(id);
    if (found == applied_.end()) return {};
    Group group = found->second.group();
    applied_.erase(found);
    return group;
}

std::vector<OutRule> BuiltIn::rules_of(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    const auto found = applied_.find(id);
    return found == applied_.end() ? std::vector<OutRule>() : found->second.rules;
}

void BuiltIn::note_rules(std::string_view id, std::vector<OutRule> rules) {
    const std::lock_guard lock(mutex_);
    const auto found = applied_.find(id);
    if (found != applied_.end()) found->second.rules = std::move(rules);
}

Result<void> BuiltIn::commit(Batch& batch, const std::function<void()>& note) {
    auto done = [&]() -> Result<void> {
        const std::shared_lock whole(whole_table_);
        note();
        auto borrowed = TRY(netfilter_.take());
        return batch.commit(*borrowed);
    }();
    if (done || done.error().sys != ENOENT) return done;
    return mend("part of the table was missing", true);
}

Result<void> BuiltIn::remember(const Lease& lease, std::span<const OutRule> rules) {
    std::vector<OutRule> all = rules_of(lease.id);
    all.insert(all.end(), rules.begin(), rules.end());
    note_rules(lease.id, std::move(all));
    return base::ok;
}

Result<void> BuiltIn::settle() {
    TRY(mend("changed while nobody watched", true));
    // A run that was killed between a change of rules and the end of flows.
    const std::lock_guard lock(mutex_);
    for (const auto& entry : applied_) ender_->ask(entry.first);
    return base::ok;
}

// Each container's rules behind the host's, as connect() and allow() put them.
Result<void> BuiltIn::put_everything(Batch& batch, const std::set<std::string>& interfaces) {
    put_host_policy(batch, policy_);
    const std::lock_guard lock(mutex_);
    for (const auto& [_, applied] : applied_) {
        put_container(
                batch, applied.binding, applied.group(),
                interfaces.contains(applied.binding.host_interface));
    }
    return base::ok;
}

// Holds whole_table_. Numbers of rules and elements: enough to see what is missing or new; what was
// replaced one by one is seen by the watch.
Result<bool> BuiltIn::is_in_force(Netlink& netfilter) {
    const auto interfaces = TRY(interface_names());
    const std::string table = table_name(config_.tag);
    Batch wanted(table);
    TRY(put_everything(wanted, interfaces));
    Content found = TRY(read_content(netfilter, table, wanted.content()));
    // A chain whose interface has gone stays or goes with it, as the kernel likes.
    std::erase_if(found.chains, [&](const auto& entry) {
        const auto id = id_of_chain(entry.first.second);
        const std::lock_guard lock(mutex_);
        const auto applied = id ? applied_.find(*id) : applied_.end();
        return entry.first.first == TableFamily::device && applied != applied_.end() &&
               !interfaces.contains(applied->second.binding.host_interface);
    });
    return found == wanted.content();
}

Result<void> BuiltIn::mend(const std::string& reason, bool look_first) {
    {
        const std::lock_guard whole(whole_table_);
        if (torn_down_) return base::ok;
        auto borrowed = TRY(netfilter_.take());
        if (look_first) {
            // A list that cannot be read, because others change theirs all the time, proves
            // nothing.
            const auto whole_already = is_in_force(*borrowed);
            if (whole_already && *whole_already) return base::ok;
        }
        Result<void> done;
        for (int tries = 0; tries < kRepairTries; ++tries) {
            const auto interfaces = TRY(interface_names());
            Batch batch(table_name(config_.tag));
            // Made first where it is missing, because only what exists can be deleted. One
            // transaction: no packet meets a table that is not whole (NET-06).
            for (const TableFamily family : {TableFamily::device, TableFamily::inet}) {
                batch.in(family);
                batch.add_table();
                batch.delete_table();
            }
            TRY(put_everything(batch, interfaces));
            done = batch.commit(*borrowed);
            // An interface went between the list and the commit.
            if (done || done.error().sys != ENOENT) break;
        }
        if (!done) return std::move(done).context("put the rules back");
        const std::lock_guard lock(mutex_);
        ++integrity_.repairs;
        integrity_.last_repair = std::chrono::system_clock::now();
        integrity_.last_reason = reason;
    }
    if (config_.on_repair) config_.on_repair(reason);
    return base::ok;
}

Result<void> BuiltIn::begin_watch() {
    integrity_.log_group = log_group(config_.tag);
    ender_ = std::make_unique<FlowEnder>(
            [this](const std::set<std::string>& ids) { end_behind(ids); });
    auto nflog = Nflog::open(integrity_.log_group);
    // Containers work without the log; the state says that it is missing.
    if (!nflog) integrity_.unlogged = nflog.error().text;
    auto rules = TRY(RuleWatch::open(
            table_name(config_.tag), [this](std::uint32_t port) { return netfilter_.owns(port); }));
    watcher_ = TRY(Watcher::start(
            {.nflog = nflog ? std::optional<Nflog>(*std::move(nflog)) : std::nullopt,
             .rules = std::move(rules),
             .log = log_,
             .mend = [this](const std::string& reason, bool look_first) {
                 return mend(reason, look_first);
             }}));
    return base::ok;
}

Result<Evidence> BuiltIn::evidence(const Lease& lease, std::uint64_t after) {
    const ParsedLease parsed = TRY(parse_lease(lease, config_.tag));
    const std::string table = table_name(config_.tag);
    auto borrowed = TRY(netfilter_.take());
    Netlink& netfilter = *borrowed;
    Evidence evidence;
    const Group group = compile(rules_of(parsed.binding.id), parsed.binding.address6.has_value());
    const GroupHits own = TRY(read_group(netfilter, table, parsed.binding.id, group));
    for (std::size_t i = group.allowances.size(); i-- > 0;) {  // the last one is tried first
        evidence.rules.push_back(row(text_of(group.allowances[i]), true, own.allowances[i]));
    }
    for (const CountedRule& rule : own.others)
        evidence.rules.push_back(row(rule.comment, true, rule.hits));
    const auto tally = read_tally(netfilter, table, addresses_of(parsed.binding));
    // A dead container has no rules any more.
    if (!tally && tally.error().kind != Errc::not_found) return tally.error();
    if (tally) {
        evidence.rules.push_back(row("default: to everywhere else", true, tally->passed));
        for (std::size_t i = 0; i < kRefusals.size(); ++i) {
            const auto text = description(kRefusals.at(i));
            evidence.rules.push_back(row(text, false, tally->refused.at(i)));
        }
        evidence.suppressed = tally->suppressed.packets;
    }
    Hits logged, dropped;
    const auto ingress = TRY(
            read_rules(netfilter, TableFamily::device, table, ingress_chain(parsed.binding.id)));
    for (const CountedRule& rule : ingress) {
        if (rule.counted) (rule.logs ? logged : dropped) += rule.hits;
    }
    if (!ingress.empty()) evidence.rules.push_back(row(kForgedRule, false, dropped));
    // Read one after the other: a frame in between is in one only.
    evidence.suppressed += dropped.packets - std::min(dropped.packets, logged.packets);
    auto view = log_.read(parsed.binding.id, after);
    evidence.connections = std::move(view.connections);
    evidence.forgotten = view.forgotten;
    evidence.lost = view.lost;
    return evidence;
}

Result<Integrity> BuiltIn::integrity() {
    Integrity out;
    {
        const std::lock_guard lock(mutex_);
        out = integrity_;
        if (out.unended_flows.empty()) out.unended_flows = unended_behind_;
    }
    out.unrepaired = watcher_->unrepaired();
    out.lost = log_.lost();
    const std::string table = table_name(config_.tag);
    auto borrowed = TRY(netfilter_.take());
    const auto total = [&](TableFamily family, const std::string& chain) -> Result<std::uint64_t> {
        const auto rules = TRY(read_rules(*borrowed, family, table, chain));
        return rules.empty() ? 0 : rules.front().hits.packets;
    };
    for (const Refusal refusal : kRefusals) {
        out.refusals[std::string(word(refusal))] =
                TRY(total(TableFamily::inet, refusal_chain(refusal)));
    }
    out.refusals["forged"] = TRY(total(TableFamily::device, kForgedChain));
    return out;
}

}  // namespace garden::net
