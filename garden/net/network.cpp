// Network::start, leases, and what exists on the host.
#include "garden/net/network.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/net/built_in.hpp"
#include "garden/net/links.hpp"
#include "garden/net/policy.hpp"
#include "garden/net/table.hpp"

#include <linux/netlink.h>

#include <algorithm>
#include <set>
#include <utility>

namespace garden::net {

using base::Errc;
using base::Result;

namespace {

constexpr std::uint16_t kMinMtu = 576, kMinMtu6 = 1280;

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
    {
        const std::lock_guard lock(mutex_);
        TRY(pool_.adopt(parsed.placement));
    }
    if (lease.ports.empty()) return base::ok;
    {
        const std::lock_guard lock(ports_mutex_);
        for (const PortMapping& mapping : lease.ports)
            TRY(ports_.adopt(mapping.host_port, lease.id));
    }
    // The record comes before the kernel: a killed run may have written a port down and no more.
    return map_ports(lease);
}

void BuiltIn::release_all(std::span<const Lease> leases) {
    std::vector<Binding> heard;
    for (const Lease& lease : leases) {
        const auto parsed = parse_lease(lease, config_.tag);
        if (parsed && !was_silent(lease.id)) heard.push_back(parsed->binding);
    }
    if (!heard.empty()) {
        // The addresses are given back all the same: their flows end by themselves, only later.
        const auto ended = end_all_flows(heard);
        const std::lock_guard lock(mutex_);
        integrity_.unended_flows =
                ended ? "" : "network " + heard.front().id + ": " + ended.error().text;
    }
    for (const Lease& lease : leases) {
        const auto parsed = parse_lease(lease, config_.tag);
        if (!parsed) continue;  // never handed out by us
        for (const PortMapping& mapping : lease.ports) release_port(lease, mapping);
        const std::lock_guard bridges(bridges_);
        {
            const std::lock_guard lock(mutex_);
            pool_.give(parsed->placement);
        }
        if (parsed->placement.shared) drop_bridge_if_unused(*parsed, false);
    }
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
    // Each has an answer, and the socket's buffer must hold all of them: with 500 it does not.
    constexpr std::size_t kAtOnce = 64;
    Messages remove;
    const auto links = TRY(list_links(route));
    for (const Link& link : links) {
        if (link.group != interface_group(config_.tag)) continue;
        if (id_of_interface(config_.tag, link.name) || is_bridge(config_.tag, link.name))
            delete_link(remove, link.index);
        if (remove.entries().size() < kAtOnce) continue;
        TRY(route.transact(remove, kGone));
        remove = Messages();
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
    const bool v6 = !config.pool6.empty();
    const std::uint16_t least = v6 ? kMinMtu6 : kMinMtu;
    if (config.mtu != 0 && (config.mtu < least || config.mtu > 1500)) {
        return base::fail(Errc::invalid, "mtu {}: from {} to 1500, or 0", config.mtu, least);
    }
    if (config.external_ip.empty()) config.external_ip = detect_external_ip();
    if (v6 && config.external_ip6.empty()) config.external_ip6 = detect_external_ip6();
    HostPolicy policy = TRY(make_policy(config));
    PortPool ports = TRY(PortPool::make(config.port_pool_start, config.port_pool_size));
    if (!config.port_file.empty()) {
        // Without it (the first start, or a host that was switched off) the order begins anew.
        if (const auto order = base::sys::read_host_file(config.port_file)) ports.restore(*order);
    }
    Netlink route = TRY(Netlink::open(NETLINK_ROUTE));
    const std::uint16_t detected = TRY(detect_mtu(route, config.external_ip));
    const std::uint16_t mtu = config.mtu != 0 ? config.mtu : std::max(detected, least);

    TRY(enable_forwarding(v6).context("start the network"));
    Netlink netfilter = TRY(Netlink::open(NETLINK_NETFILTER));
    Batch batch(table_name(config.tag));
    put_host_policy(batch, policy);
    TRY(batch.commit(netfilter).context("start the network"));
    auto network = std::make_unique<BuiltIn>(
            std::move(config), std::move(policy), std::move(pool), std::move(ports), mtu);
    TRY(network->begin_watch());
    return std::unique_ptr<Network>(std::move(network));
}

}  // namespace garden::net
