// The implementation of network.hpp: leases in memory, links by rtnetlink, rules by nf_tables.
#include "garden/net/network.hpp"

#include "base/fail.hpp"
#include "base/rollback.hpp"
#include "garden/net/built_in.hpp"
#include "garden/net/host.hpp"
#include "garden/net/links.hpp"
#include "garden/net/namespace.hpp"
#include "garden/net/policy.hpp"
#include "garden/net/table.hpp"

#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace garden::net {

using base::Errc;
using base::Result;

namespace {

constexpr int kLoopback = 1;  // the index of lo in every namespace
constexpr std::uint16_t kMinMtu = 576, kMinMtu6 = 1280;
constexpr std::array kGone = {ENODEV, ENOENT, ESRCH, EADDRNOTAVAIL};

}  // namespace

// A requested subnet must not take over a network that the host itself is in.
Result<void> BuiltIn::check_host_networks(std::string_view request) {
    const Cidr wanted = TRY(parse_request(request));
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    std::set<int> ours;
    for (const Link& link : TRY(list_links(route))) {
        if (link.group == interface_group(config_.tag)) ours.insert(link.index);
    }
    for (const InterfaceAddress& entry : TRY(list_addresses(route))) {
        if (!ours.contains(entry.index) && overlap(entry.address, wanted)) {
            return base::fail(
                    Errc::invalid, "the requested subnet ({}) overlaps a network of the host ({})",
                    to_string(wanted), to_string(entry.address));
        }
    }
    return base::ok;
}

Result<Lease> BuiltIn::lease(std::string_view request) {
    if (!request.empty()) TRY(check_host_networks(request));
    Placement placement;
    {
        const std::lock_guard lock(mutex_);
        placement = TRY(pool_.take(request));
    }
    Lease lease;
    lease.id = lease_id(next_id_.fetch_add(1));
    lease.subnet = to_string(placement.subnet);
    lease.host_ip = to_string(placement.gateway);
    lease.container_ip = to_string(placement.container);
    lease.prefix = placement.subnet.prefix;
    if (placement.subnet6) {
        lease.host_ip6 = to_string(plus(placement.subnet6->network, 1));
        lease.container_ip6 = to_string(plus(placement.subnet6->network, 2));
        lease.prefix6 = placement.subnet6->prefix;
    }
    lease.host_interface = host_interface(config_.tag, lease.id);
    lease.container_interface = container_interface(config_.tag, lease.id);
    if (placement.shared) lease.bridge = bridge_interface(config_.tag, placement.subnet.network);
    lease.external_ip = config_.external_ip;
    lease.mtu = mtu_;
    return lease;
}

Result<void> BuiltIn::adopt(const Lease& lease) {
    const ParsedLease parsed = TRY(parse_lease(lease, config_.tag));
    note_applied(binding_of(parsed));
    const std::lock_guard lock(mutex_);
    return pool_.adopt(parsed.placement);
}

void BuiltIn::release(const Lease& lease) {
    const auto parsed = parse_lease(lease, config_.tag);
    if (!parsed) return;  // never handed out by us
    const std::lock_guard bridges(bridges_);
    {
        const std::lock_guard lock(mutex_);
        pool_.give(parsed->placement);
    }
    if (parsed->placement.shared) drop_bridge_if_unused(*parsed, false);
}

Result<int> BuiltIn::ensure_bridge(Netlink& route, const Lease& lease, const Placement& placement) {
    if (auto index = route.interface_index(lease.bridge.c_str())) return index;
    Messages create;
    add_bridge(
            create, {.name = lease.bridge,
                     .mac = gateway_mac(placement.gateway),
                     .mtu = lease.mtu,
                     .group = interface_group(config_.tag)});
    TRY(route.transact(create));
    const int index = TRY(route.interface_index(lease.bridge.c_str()));
    Messages configure;
    set_up(configure, index, End::host);
    add_address(configure, index, placement.gateway, placement.subnet.prefix);
    auto configured = route.transact(configure);
    if (!configured) {
        Messages undo;
        delete_link(undo, index);
        (void)route.transact(undo);
        return std::move(configured).error();
    }
    return index;
}

// Holds bridges_. `except_self`: the lease of `parsed` is still counted in the pool.
void BuiltIn::drop_bridge_if_unused(const ParsedLease& parsed, bool except_self) {
    {
        const std::lock_guard lock(mutex_);
        if (pool_.users(parsed.placement.subnet) > (except_self ? 1U : 0U)) return;
    }
    auto route = Netlink::open(NETLINK_ROUTE);
    if (!route) return;
    auto index = route->interface_index(
            bridge_interface(config_.tag, parsed.placement.subnet.network).c_str());
    if (!index) return;
    Messages remove;
    delete_link(remove, *index);
    (void)route->transact(remove, kGone);  // doctor finds what stays
}

Result<void> BuiltIn::set_host_end(
        Netlink& route, const Lease& lease, const ParsedLease& parsed, int link) {
    Messages messages;
    int owner = link;
    if (parsed.placement.shared) {
        owner = TRY(ensure_bridge(route, lease, parsed.placement));
        set_port(messages, link, owner, config_.isolate_shared_subnets);
        set_up(messages, link, End::host);
    } else {
        set_up(messages, link, End::host);
        // gateway peer container: the address and the only route in one; nothing else of the /30
        // exists on the host.
        add_address(messages, link, parsed.placement.gateway, 32, parsed.placement.container);
        add_neighbour(messages, link, parsed.placement.container, parsed.binding.mac);
    }
    if (parsed.binding.address6) {
        add_address(messages, owner, *parsed.gateway6, 128);
        add_route(messages, owner, *parsed.binding.address6, 128);
        // The bridge has no link-local address to ask from when it forwards, so the answer is there
        // beforehand.
        add_neighbour(messages, owner, *parsed.binding.address6, parsed.binding.mac);
    }
    return route.transact(messages);
}

namespace {

// The socket keeps the namespace it was opened in; the thread returns at once.
Result<Netlink> open_inside(base::FdRef network_namespace, bool v6) {
    const auto inside = TRY(InNamespace::enter(network_namespace));
    if (!v6) TRY(disable_ipv6());  // NET-08
    return Netlink::open(NETLINK_ROUTE);
}

}  // namespace

Result<void> BuiltIn::set_container_end(
        const Lease& lease, const ParsedLease& parsed, base::FdRef network_namespace) {
    Netlink route = TRY(open_inside(network_namespace, parsed.binding.address6.has_value()));
    const int link = TRY(route.interface_index(container_interface(config_.tag, lease.id).c_str()));
    const Mac gateway = gateway_mac(parsed.placement.gateway);
    Messages messages;
    set_up(messages, kLoopback, End::container);
    set_up(messages, link, End::container);
    add_address(messages, link, parsed.placement.container, lease.prefix);
    add_default_route(messages, link, parsed.placement.gateway);
    add_neighbour(messages, link, parsed.placement.gateway, gateway);
    if (parsed.binding.address6) {
        add_address(messages, link, *parsed.binding.address6, lease.prefix6);
        add_default_route(messages, link, *parsed.gateway6);
        add_neighbour(messages, link, *parsed.gateway6, gateway);
    }
    return route.transact(messages);
}

Result<void> BuiltIn::connect(const Lease& lease, base::FdRef network_namespace) {
    const ParsedLease parsed = TRY(parse_lease(lease, config_.tag));
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    base::Rollback undo;
    undo.add([&] { (void)remove_everything(lease.id); });

    Messages create;
    add_veth(
            create, {.host_name = parsed.binding.host_interface,
                     .peer_name = container_interface(config_.tag, lease.id),
                     .host_mac = gateway_mac(parsed.placement.gateway),
                     .peer_mac = parsed.binding.mac,
                     .mtu = lease.mtu,
                     .group = interface_group(config_.tag),
                     .peer_namespace = network_namespace});
    TRY(route.transact(create));
    const int link = TRY(route.interface_index(parsed.binding.host_interface.c_str()));

    // Rules come before the first end goes up: no packet passes without them.
    Batch batch(table_name(config_.tag));
    const Binding binding = binding_of(parsed);
    put_container(batch, binding);
    TRY(commit(batch, [&] { note_applied(binding); }));
    {
        std::unique_lock bridges(bridges_, std::defer_lock);
        if (parsed.placement.shared) bridges.lock();
        TRY(set_host_end(route, lease, parsed, link));
    }
    TRY(set_container_end(lease, parsed, network_namespace));
    undo.commit();
    return base::ok;
}

Result<void> BuiltIn::allow(const Lease& lease, std::span<const OutRule> rules) {
    if (!is_lease_id(lease.id))
        return base::fail(Errc::invalid, "network lease id '{}' is malformed", lease.id);
    std::size_t total = 0;
    for (const OutRule& rule : rules) total += compiled_size(rule);
    if (total > kMaxCompiledRules) {
        return base::fail(
                Errc::invalid, "security group: {} rules for the kernel, at most {}", total,
                kMaxCompiledRules);
    }
    if (total == 0) return base::ok;
    Batch batch(table_name(config_.tag));
    put_out_rules(batch, lease.id, log_group(config_.tag), rules);
    std::size_t before = 0;
    auto allowed = commit(batch, [&] { before = note_rules(lease.id, rules); });
    if (!allowed) forget_rules(lease.id, before);
    return allowed;
}

Result<void> BuiltIn::isolate(base::FdRef network_namespace) {
    Netlink route = TRY(open_inside(network_namespace, !config_.pool6.empty()));
    Messages messages;
    set_up(messages, kLoopback, End::container);
    return route.transact(messages);
}

// The usual batch knows what to remove without asking; when something of it is missing, we look
// what is there.
Result<void> BuiltIn::remove_rules(const Binding& binding) {
    const std::shared_lock whole(whole_table_);
    note_removed(binding.id);
    auto borrowed = TRY(netfilter_.take());
    Netlink& netfilter = *borrowed;
    Batch batch(table_name(config_.tag));
    remove_container(batch, binding);
    auto removed = batch.commit(netfilter);
    if (removed || removed.error().sys != ENOENT) return removed;
    const Remains remains =
            TRY(find_remains(netfilter, config_.tag, binding.id, addresses_of(binding)));
    if (remains.empty()) return base::ok;
    Batch rest(table_name(config_.tag));
    remove_remains(rest, remains);
    return rest.commit(netfilter);
}

Result<void> BuiltIn::remove_everything(std::string_view id) {
    {
        const std::shared_lock whole(whole_table_);
        note_removed(id);
        auto borrowed = TRY(netfilter_.take());
        Netlink& netfilter = *borrowed;
        const Remains remains = TRY(find_remains(netfilter, config_.tag, id));
        if (!remains.empty()) {
            Batch batch(table_name(config_.tag));
            remove_remains(batch, remains);
            TRY(batch.commit(netfilter));
        }
    }
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    auto index = route.interface_index(host_interface(config_.tag, id).c_str());
    if (!index)
        return index.error().kind == Errc::not_found ? Result<void>()
                                                     : Result<void>(std::move(index).error());
    Messages remove;
    delete_link(remove, *index);
    return route.transact(remove, kGone);
}

Result<void> BuiltIn::disconnect(const Lease& lease, bool namespace_gone) {
    const ParsedLease parsed = TRY(parse_lease(lease, config_.tag));
    TRY(remove_rules(parsed.binding));
    const bool bridged_v6 = parsed.placement.shared && parsed.binding.address6.has_value();
    if (!namespace_gone && !parsed.placement.shared) return base::ok;

    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    if (bridged_v6) {
        // On a bridge they do not go with the veth.
        if (auto bridge = route.interface_index(lease.bridge.c_str())) {
            Messages messages;
            delete_neighbour(messages, *bridge, *parsed.binding.address6);
            delete_route(messages, *bridge, *parsed.binding.address6, 128);
            delete_address(messages, *bridge, *parsed.gateway6, 128);
            TRY(route.transact(messages, kGone));
        }
    }
    if (namespace_gone) {
        if (auto index = route.interface_index(parsed.binding.host_interface.c_str())) {
            Messages messages;
            delete_link(messages, *index);
            TRY(route.transact(messages, kGone));
        }
    }
    if (parsed.placement.shared) {
        const std::lock_guard bridges(bridges_);
        drop_bridge_if_unused(parsed, true);
    }
    return base::ok;
}

Result<Counters> BuiltIn::counters(const Lease& lease) {
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    if (!is_lease_id(lease.id))
        return base::fail(Errc::invalid, "network lease id '{}' is malformed", lease.id);
    const Link link = TRY(get_link(route, host_interface(config_.tag, lease.id)));
    // What the host's end sends is what the container receives.
    return Counters{.rx_bytes = link.tx_bytes, .tx_bytes = link.rx_bytes};
}

Result<std::vector<std::string>> BuiltIn::present() {
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    auto borrowed = TRY(netfilter_.take());
    Netlink& netfilter = *borrowed;
    const auto in_table = TRY(ids_in_table(netfilter, config_.tag));
    std::set<std::string> ids(in_table.begin(), in_table.end());
    for (const Link& link : TRY(list_links(route))) {
        if (auto id = id_of_interface(config_.tag, link.name)) ids.insert(*std::move(id));
    }
    return std::vector<std::string>(ids.begin(), ids.end());
}

Result<void> BuiltIn::sweep(std::string_view lease_id) {
    if (!is_lease_id(lease_id))
        return base::fail(Errc::invalid, "network lease id '{}' is malformed", lease_id);
    TRY(remove_everything(lease_id));
    // A bridge without ports and without a lease is nobody's.
    const std::lock_guard bridges(bridges_);
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    const auto links = TRY(list_links(route));
    std::set<int> with_ports;
    for (const Link& link : links) with_ports.insert(link.master);
    Messages remove;
    for (const Link& link : links) {
        if (!is_bridge(config_.tag, link.name) || link.group != interface_group(config_.tag))
            continue;
        const std::lock_guard lock(mutex_);
        if (!with_ports.contains(link.index) && !pool_.has_bridge(link.name, config_.tag))
            delete_link(remove, link.index);
    }
    return remove.empty() ? Result<void>() : route.transact(remove, kGone);
}

Result<void> BuiltIn::tear_down() {
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    Messages remove;
    for (const Link& link : TRY(list_links(route))) {
        if (link.group != interface_group(config_.tag)) continue;
        if (id_of_interface(config_.tag, link.name) || is_bridge(config_.tag, link.name))
            delete_link(remove, link.index);
    }
    if (!remove.empty()) TRY(route.transact(remove, kGone));
    const std::lock_guard whole(whole_table_);
    torn_down_ = true;  // nobody puts back what goes now
    auto borrowed = TRY(netfilter_.take());
    Netlink& netfilter = *borrowed;
    const std::string table = table_name(config_.tag);
    Batch batch(table);
    bool any = false;
    for (const TableFamily family : {TableFamily::device, TableFamily::inet}) {
        if (!TRY(table_exists(netfilter, family, table))) continue;
        batch.in(family);
        batch.delete_table();
        any = true;
    }
    return any ? batch.commit(netfilter) : Result<void>();
}

Result<std::unique_ptr<Network>> Network::start(Config config) {
    const bool tag_fine = config.tag.size() <= kMaxTagLength &&
                          config.tag.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") ==
                                  std::string::npos;
    if (!tag_fine) {
        return base::fail(
                Errc::invalid, "tag '{}': at most {} characters a-z and 0-9",
                config.tag.substr(0, 32), kMaxTagLength);
    }
    Pool pool = TRY(Pool::make(config.pool, config.pool6));
    const HostPolicy policy = TRY(make_policy(config));
    const bool v6 = !config.pool6.empty();
    const std::uint16_t least = v6 ? kMinMtu6 : kMinMtu;
    if (config.mtu != 0 && (config.mtu < least || config.mtu > 1500)) {
        return base::fail(Errc::invalid, "mtu {}: from {} to 1500, or 0", config.mtu, least);
    }
    if (config.external_ip.empty()) config.external_ip = detect_external_ip();
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    const std::uint16_t detected = TRY(detect_mtu(route, config.external_ip));
    const std::uint16_t mtu = config.mtu != 0 ? config.mtu : std::max(detected, least);

    TRY(enable_forwarding(v6).context("start the network"));
    Netlink netfilter = TRY(Netlink::open(NETLINK_NETFILTER));
    Batch batch(table_name(config.tag));
    put_host_policy(batch, policy);
    TRY(batch.commit(netfilter).context("start the network"));
    auto network = std::make_unique<BuiltIn>(std::move(config), policy, std::move(pool), mtu);
    TRY(network->begin_watch());
    return std::unique_ptr<Network>(std::move(network));
}

}  // namespace garden::net
