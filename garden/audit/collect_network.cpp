// The rules and the link of one container, as the kernel has them.
#include "base/sys/file.hpp"
#include "garden/audit/collect.hpp"
#include "garden/audit/parse.hpp"
#include "garden/net/links.hpp"
#include "garden/net/names.hpp"
#include "garden/net/rules_read.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace garden::audit {

namespace {

using net::TableFamily;

constexpr std::array kSettings = {
        "ipv4/rp_filter",  "ipv4/accept_redirects", "ipv4/send_redirects",
        "ipv4/proxy_arp",  "ipv4/route_localnet",   "ipv4/accept_local",
        "ipv4/arp_ignore", "ipv6/accept_ra",        "ipv6/accept_redirects"};
// An interface name, a MAC padded to eight bytes, an IPv4 address: a key of the set that binds
// them.
constexpr std::size_t kMacAt = 16, kAddressAt = 24, kKeyLength = 28;

base::Result<void> read_rules(
        net::Netlink& socket,
        TableFamily family,
        const std::string& table,
        std::span<const std::string> chains,
        std::vector<RuleView>& out) {
    for (const auto& chain : chains) {
        for (auto& rule : TRY(net::list_rules(socket, family, table, chain)))
            out.push_back({.chain = std::move(rule.chain), .words = std::move(rule.words)});
    }
    return base::ok;
}

// Exactly its own: one more element would let another address through.
bool bound_rightly(const net::Lease& lease, std::span<const net::Element> elements) {
    const auto address = net::parse_address(lease.container_ip);
    if (!address || address->is_v6()) return false;
    const auto mac = net::container_mac(*address);
    std::size_t of_link = 0;
    bool found = false;
    for (const auto& element : elements) {
        if (element.key.size() != kKeyLength) continue;
        const auto* key = element.key.data();
        const std::string name(
                reinterpret_cast<const char*>(key),
                ::strnlen(reinterpret_cast<const char*>(key), kMacAt));
        if (name != lease.host_interface) continue;
        ++of_link;
        found = found || (std::memcmp(key + kMacAt, mac.data(), mac.size()) == 0 &&
                          std::memcmp(key + kAddressAt, address->bytes.data(), 4) == 0);
    }
    return found && of_link == 1;
}

// What a source address leads to that is no container's.
bool nobody_is_refused(std::span<const net::Element> elements) {
    return std::any_of(elements.begin(), elements.end(), [](const net::Element& element) {
        return element.key.empty() && element.go_to == "nobody";
    });
}

// How many allowances are elements of the sets of the container, of the family that has more.
base::Result<std::size_t> count_allowances(
        net::Netlink& socket, const std::string& table, const std::string& id) {
    std::size_t v4 = 0, v6 = 0;
    const auto sets = TRY(net::list_sets(socket, TableFamily::inet, table));
    for (const auto& set : sets) {
        if (net::id_of_set(set) != id || !set.starts_with('a')) continue;
        const auto elements = TRY(net::list_elements(socket, TableFamily::inet, table, set));
        (set.starts_with("a6") ? v6 : v4) += elements.size();
    }
    return std::max(v4, v6);
}

bool leads_to_chain(const net::Lease& lease, std::span<const net::Element> elements) {
    const auto address = net::parse_address(lease.container_ip);
    if (!address) return false;
    const std::vector<std::uint8_t> key(
            address->bytes.begin(), address->bytes.begin() + address->length);
    const auto chain = net::egress_chain(lease.id);
    return std::any_of(elements.begin(), elements.end(), [&](const net::Element& element) {
        return element.key == key && element.go_to == chain;
    });
}

base::Result<NetworkView> look(const Expected& expected) {
    const auto& lease = *expected.lease;
    const auto table = net::table_name(expected.network_tag);
    NetworkView view;
    auto netfilter = TRY(net::Netlink::open(NETLINK_NETFILTER));
    const auto chains = TRY(net::list_chains(netfilter, TableFamily::inet, table));
    const auto device = TRY(net::list_chains(netfilter, TableFamily::device, table));
    view.chains.insert(chains.begin(), chains.end());
    view.device_chains.insert(device.begin(), device.end());
    std::vector<std::string> ours;
    for (const auto& chain : chains) {  // those of everybody, and its own
        if (!net::id_of_chain(chain) || chain == net::egress_chain(lease.id)) ours.push_back(chain);
    }
    TRY(read_rules(netfilter, TableFamily::inet, table, ours, view.rules));
    const std::array own{std::string("spoof"), net::ingress_chain(lease.id)};
    for (const auto& chain : own) {
        if (!view.device_chains.contains(chain)) continue;
        TRY(read_rules(
                netfilter, TableFamily::device, table, std::span(&chain, 1), view.device_rules));
    }
    if (!chains.empty()) {
        const auto egress = TRY(net::list_elements(netfilter, TableFamily::inet, table, "egress4"));
        view.egress_element = leads_to_chain(lease, egress);
        view.nobody_refused = nobody_is_refused(egress);
        view.allowances = TRY(count_allowances(netfilter, table, lease.id));
    }
    if (!device.empty())
        view.bound_element = bound_rightly(
                lease, TRY(net::list_elements(netfilter, TableFamily::device, table, "bound4")));
    auto route = TRY(net::Netlink::open(NETLINK_ROUTE));
    const auto link = net::get_link(route, lease.host_interface);
    if (!link && link.error().kind != base::Errc::not_found) return link.error();
    view.host_link = link.has_value();
    return view;
}

}  // namespace

void look_at_network(const Expected& expected, Outside& outside) {
    auto view = look(expected);
    if (!view) {
        outside.problems["network"] = view.error().text;
        return;
    }
    for (const std::string name : kSettings) {
        const auto slash = name.find('/');
        const auto path = "/proc/sys/net/" + name.substr(0, slash) + "/conf/" +
                          expected.lease->host_interface + name.substr(slash);
        const auto text = base::sys::read_host_file(path);
        if (text) view->sysctls[name] = trimmed(*text);
    }
    outside.network = std::move(*view);
}

}  // namespace garden::audit
