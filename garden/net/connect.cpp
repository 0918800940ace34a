// Interfaces of a container, and its way in and out of the rules.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/rollback.hpp"
#include "garden/net/built_in.hpp"
#include "garden/net/host.hpp"
#include "garden/net/links.hpp"
#include "garden/net/namespace.hpp"
#include "garden/net/table.hpp"

#include <linux/netlink.h>

#include <chrono>
#include <utility>

namespace garden::net {

using base::Errc;
using base::Result;

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

namespace {

// The end that went up first learns of the other in the background, on a busy host some
// milliseconds later, and until then drops what is sent through it: the first answers to a
// container. Asking makes the kernel finish that (since 6.8; an older one is given time).
Result<void> wait_until_it_carries(Netlink& route, const std::string& host_interface) {
    constexpr int kTries = 200;
    constexpr std::chrono::milliseconds kPause{5};
    for (int tries = 0; tries < kTries; ++tries) {
        if (TRY(get_link(route, host_interface)).carries) return base::ok;
        base::pause_for(kPause);
    }
    return base::ok;  // who comes too early loses a packet, as on any network
}

}  // namespace

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
    {
        const std::lock_guard links(links_);
        TRY(route.transact(create));
    }
    const int link = TRY(route.interface_index(parsed.binding.host_interface.c_str()));

    // Rules come before the first end goes up: no packet passes without them.
    Batch batch(table_name(config_.tag));
    const Binding binding = binding_of(parsed);
    put_container(batch, binding, {});
    TRY(commit(batch, [&] { note_applied(binding); }));
    TRY(refuse_advertisements(lease.host_interface));
    {
        std::unique_lock bridges(bridges_, std::defer_lock);
        if (parsed.placement.shared) bridges.lock();
        const std::lock_guard links(links_);
        TRY(set_host_end(route, lease, parsed, link));
    }
    {
        const std::lock_guard links(links_);
        TRY(set_container_end(lease, parsed, network_namespace));
    }
    TRY(wait_until_it_carries(route, parsed.binding.host_interface));
    undo.commit();
    return base::ok;
}

Result<void> BuiltIn::isolate(base::FdRef network_namespace) {
    const std::lock_guard links(links_);
    Netlink route = TRY(open_inside(network_namespace, !config_.pool6.empty()));
    Messages messages;
    set_up(messages, kLoopback, End::container);
    return route.transact(messages);
}

// The usual batch knows what to remove without asking; when something of it is missing, we look
// what is there.
Result<void> BuiltIn::remove_rules(const Binding& binding) {
    const std::shared_lock whole(whole_table_);
    const Group group = note_removed(binding.id);
    auto borrowed = TRY(netfilter_.take());
    Netlink& netfilter = *borrowed;
    Batch batch(table_name(config_.tag));
    remove_container(batch, binding, group);
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
        (void)note_removed(id);
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
    // They lead nowhere now; who destroys a container may give its host port to the next at once,
    // while the lease is kept until the links have gone.
    for (const PortMapping& mapping : lease.ports) release_port(lease, mapping);
    const bool bridged_v6 = parsed.placement.shared && parsed.binding.address6.has_value();
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    note_silence(route, parsed.binding);
    if (!namespace_gone && !parsed.placement.shared) return base::ok;

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

}  // namespace garden::net
