// NetOut: from what clients write to what the network takes, and kept in the record.
#include "garden/engine/out_rules.hpp"

#include "base/fail.hpp"
#include "garden/engine/gardener.hpp"

#include <algorithm>
#include <utility>

namespace garden {

namespace {

using base::Errc;

// A range with only one end means that address (garden-api 5.4).
base::Result<net::Range> range_of(const OutRuleSpec::Span& span) {
    const auto& first = span.first.empty() ? span.last : span.first;
    const auto& last = span.last.empty() ? span.first : span.last;
    const auto from = TRY(net::parse_address(first));
    const auto to = TRY(net::parse_address(last));
    if (from.is_v6() != to.is_v6() || to < from) {
        return base::fail(
                Errc::invalid, "networks: {} to {} is no range of addresses", first, last);
    }
    return net::Range{.first = from, .last = to};
}

base::Result<net::OutRule> parse(const OutRuleSpec& spec) {
    constexpr std::uint32_t kLast = 4;
    if (spec.protocol > kLast)
        return base::fail(Errc::invalid, "invalid protocol: {}", spec.protocol);
    net::OutRule rule;
    rule.protocol = static_cast<net::OutProtocol>(spec.protocol);
    const bool has_ports =
            rule.protocol == net::OutProtocol::tcp || rule.protocol == net::OutProtocol::udp;
    if (!spec.ports.empty() && !has_ports) {
        return base::fail(
                Errc::invalid, "Ports cannot be specified for Protocol {}",
                rule.protocol == net::OutProtocol::all ? "ALL" : "ICMP");
    }
    for (const auto& span : spec.networks) rule.networks.push_back(TRY(range_of(span)));
    for (const auto& ports : spec.ports) {
        if (ports.first > ports.last) {
            return base::fail(
                    Errc::invalid, "ports: {} to {} is no range of ports", ports.first, ports.last);
        }
        rule.ports.push_back({.first = ports.first, .last = ports.last});
    }
    // Types mean nothing to other protocols, and Garden ignores them there.
    const bool is_icmp =
            rule.protocol == net::OutProtocol::icmp || rule.protocol == net::OutProtocol::icmpv6;
    if (spec.icmp && is_icmp)
        rule.icmp = net::IcmpMatch{.type = spec.icmp->type, .code = spec.icmp->code};
    rule.log = spec.log;
    return rule;
}

}  // namespace

base::Result<std::vector<net::OutRule>> parse_out_rules(std::span<const OutRuleSpec> specs) {
    std::vector<net::OutRule> rules;
    std::size_t total = 0;
    for (std::size_t i = 0; i < specs.size(); ++i) {
        auto rule = parse(specs[i]);
        if (!rule) {
            return specs.size() == 1
                           ? std::move(rule).error()
                           : std::move(rule.error()).context(base::format("netout_rules[{}]", i));
        }
        total += net::compiled_size(*rule);
        if (total > net::kMaxCompiledRules) {
            return base::fail(
                    Errc::invalid, "netout_rules: more than {} rules of the kernel",
                    net::kMaxCompiledRules);
        }
        rules.push_back(*std::move(rule));
    }
    return rules;
}

api::NetOutRule to_wire(const OutRuleSpec& rule) {
    // Any type has no other name on the wire than Garden's 255 (garden-behaviours C.4).
    constexpr std::uint8_t kAny = 255;
    api::NetOutRule wire{.protocol = rule.protocol, .log = rule.log};
    for (const auto& span : rule.networks)
        wire.networks.push_back({.start = span.first, .end = span.last});
    for (const auto& ports : rule.ports)
        wire.ports.push_back({.start = ports.first, .end = ports.last});
    if (rule.icmp) {
        wire.icmps = api::IcmpControl{
                .type = rule.icmp->type.value_or(kAny),
                .code = rule.icmp->type ? rule.icmp->code : std::optional<std::uint8_t>(kAny)};
    }
    return wire;
}

base::Result<void> Gardener::keep_rules(Container& container, std::vector<OutRuleSpec> rules) {
    const std::lock_guard lock(container.mutex);
    auto& kept = container.record.spec.out_rules;
    std::swap(kept, rules);
    auto saved = Depot::save(container.bundle, container.record);
    if (!saved) std::swap(kept, rules);
    return saved;
}

base::Result<void> Gardener::net_out(const Handle& handle, std::vector<OutRuleSpec> rules) {
    const auto container = TRY(living(handle));
    const auto added = TRY(parse_out_rules(rules));
    const std::lock_guard turn(container->changing_rules);
    std::vector<OutRuleSpec> before;
    std::optional<net::Lease> lease;
    {
        const std::lock_guard lock(container->mutex);
        before = container->record.spec.out_rules;
        lease = container->record.lease;
    }
    if (container->record.network_plugin) return net_out_by_plugin(*container, rules);
    if (!lease) {
        return base::fail(Errc::conflict, "net_out: container {} has no network", handle.get());
    }
    auto all = before;
    all.insert(all.end(), rules.begin(), rules.end());
    (void)TRY(parse_out_rules(all));  // the bound is of all together
    // The record first: a rule that the kernel has and no record knows would be lost when the
    // table is made anew.
    TRY(keep_rules(*container, std::move(all)));
    auto applied = parts_.network->allow(*lease, added);
    if (!applied) (void)keep_rules(*container, std::move(before));
    if (applied) tell_net_out(handle, rules);
    return applied;
}

base::Result<void> Gardener::replace_out_rules(
        const Handle& handle, std::vector<OutRuleSpec> rules) {
    const auto container = TRY(living(handle));
    const auto wanted = TRY(parse_out_rules(rules));
    const std::lock_guard turn(container->changing_rules);
    std::vector<OutRuleSpec> before;
    std::optional<net::Lease> lease;
    {
        const std::lock_guard lock(container->mutex);
        before = container->record.spec.out_rules;
        lease = container->record.lease;
    }
    if (!lease) {
        return base::fail(
                Errc::conflict, "net_out: container {} has no network of ours", handle.get());
    }
    TRY(keep_rules(*container, rules));
    auto applied = parts_.network->replace(*lease, wanted);
    if (!applied) (void)keep_rules(*container, std::move(before));
    if (applied) tell_net_out(handle, rules, true);
    return applied;
}

base::Result<std::vector<OutRuleSpec>> Gardener::out_rules(const Handle& handle) {
    const auto container = TRY(living(handle));
    const std::lock_guard lock(container->mutex);
    return container->record.spec.out_rules;
}

}  // namespace garden
