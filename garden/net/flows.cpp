// What is already on its way: flows that a change of rules or the end of a container must stop, and
// how much may pass at once.
#include "base/fail.hpp"
#include "garden/net/built_in.hpp"
#include "garden/net/conntrack.hpp"
#include "garden/net/links.hpp"
#include "garden/net/namespace.hpp"
#include "garden/net/qdisc.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

namespace garden::net {

using base::Errc;
using base::Result;

// As the rules of the kernel say it (table.cpp: resolvers, the container's own, "default"). Holds
// mutex_.
bool BuiltIn::permits(const Applied& applied, const Call& call) const {
    constexpr std::uint16_t kDns = 53;
    const auto is = [&](const Address& address) { return address == call.address; };
    if (call.port == kDns && std::any_of(policy_.resolvers.begin(), policy_.resolvers.end(), is))
        return true;
    const auto allows_call = [&](const OutRule& rule) { return allows(rule, call); };
    if (std::any_of(applied.rules.begin(), applied.rules.end(), allows_call)) return true;
    if (applied.binding.group && contains(*applied.binding.group, call.address)) return true;
    if (policy_.egress_deny) return false;
    const auto denied = [&](const Cidr& network) { return contains(network, call.address); };
    if (std::any_of(policy_.deny_networks.begin(), policy_.deny_networks.end(), denied))
        return false;
    return std::none_of(applied_.begin(), applied_.end(), [&](const auto& entry) {
        const Binding& other = entry.second.binding;
        return is(other.address) || (other.address6 && is(*other.address6));
    });
}

// A flow that its rules no longer allow is forgotten: its next packet is a new one to the kernel,
// and refused. Those that stay allowed are not touched, so that nobody outside gets a reset.
Result<void> BuiltIn::end_refused_flows(const std::set<std::string>& ids) {
    std::map<Address, std::string> owners;
    {
        const std::lock_guard lock(mutex_);
        for (const std::string& id : ids) {
            const auto found = applied_.find(id);
            if (found == applied_.end()) continue;  // going
            owners.emplace(found->second.binding.address, id);
            if (found->second.binding.address6) owners.emplace(*found->second.binding.address6, id);
        }
    }
    auto borrowed = TRY(netfilter_.take());
    for (const bool v6 : {false, true}) {
        const auto of_family = std::count_if(owners.begin(), owners.end(), [&](const auto& owner) {
            return owner.first.is_v6() == v6;
        });
        if (of_family == 0) continue;
        // The walk is the same for one and for all; what comes back is not.
        const auto only = std::find_if(owners.begin(), owners.end(), [&](const auto& owner) {
            return owner.first.is_v6() == v6;
        });
        auto flows = of_family == 1 ? TRY(list_flows(*borrowed, only->first, Side::opened))
                                    : TRY(list_all_flows(*borrowed, v6, Side::opened));
        {
            const std::lock_guard lock(mutex_);
            std::erase_if(flows, [&](const Flow& flow) {
                const auto owner = owners.find(flow.source);
                if (owner == owners.end()) return true;
                const auto found = applied_.find(owner->second);
                return found == applied_.end() || permits(found->second, flow.call);
            });
        }
        TRY(forget_flows(*borrowed, flows, v6));
    }
    return base::ok;
}

void BuiltIn::end_behind(const std::set<std::string>& ids) {
    const auto ended = end_refused_flows(ids);
    const std::lock_guard lock(mutex_);
    unended_behind_ = ended ? "" : "network " + *ids.begin() + ": " + ended.error().text;
}

// Before an address may be another container's: what still comes for the old one must not reach the
// new one.
Result<void> BuiltIn::end_all_flows(std::span<const Binding> bindings) {
    std::array<std::set<Address>, 2> families;
    for (const Binding& binding : bindings) {
        families[0].insert(binding.address);
        if (binding.address6) families[1].insert(*binding.address6);
    }
    auto borrowed = TRY(netfilter_.take());
    for (const auto& addresses : families) {
        if (addresses.empty()) continue;
        const bool v6 = addresses.begin()->is_v6();
        for (const Side side : {Side::opened, Side::answered}) {
            const auto flows = TRY(list_flows(*borrowed, addresses, side));
            TRY(forget_flows(*borrowed, flows, v6));
        }
    }
    return base::ok;
}

// The list of the whole host is walked for it, so a container that never said a word is spared.
void BuiltIn::note_silence(Netlink& route, const Binding& binding) {
    const auto link = get_link(route, binding.host_interface);
    if (!link || link->rx_bytes != 0 || link->tx_bytes != 0) return;
    const std::lock_guard lock(mutex_);
    silent_.insert(binding.id);
}

bool BuiltIn::was_silent(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return silent_.erase(id) > 0;
}

Result<void> BuiltIn::shape(const Lease& lease, base::FdRef network_namespace) {
    constexpr std::array kNone = {ENOENT, EINVAL};
    const ParsedLease parsed = TRY(parse_lease(lease, config_.tag));
    const Binding binding = binding_of(parsed);
    // To the container: at the host's end, which nobody inside reaches.
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    Messages outer;
    put_token_bucket(
            outer, TRY(route.interface_index(binding.host_interface.c_str())), binding.shaping);
    const bool limited = binding.shaping.rate != 0;
    const std::span<const int> tolerate = limited ? std::span<const int>() : kNone;
    TRY(route.transact(outer, tolerate));
    // From it: shaped at its own end, so that senders slow down instead of losing packets; held to
    // it at the host's (table.cpp), because a privileged container may change its own end. No ifb:
    // what comes back from one skips the ingress hook, and with it NET-02.
    Batch batch(table_name(config_.tag));
    replace_ingress(batch, binding);
    TRY(commit(batch, [&] { note_binding(binding); }));
    const auto inside = TRY(InNamespace::enter(network_namespace));
    Netlink own = TRY(Netlink::open(NETLINK_ROUTE));
    Messages inner;
    put_token_bucket(
            inner, TRY(own.interface_index(container_interface(config_.tag, lease.id).c_str())),
            binding.shaping);
    return own.transact(inner, tolerate);
}

}  // namespace garden::net
