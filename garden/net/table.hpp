// The layout of our nf_tables table (README.md draws it): host policy, anti-spoofing, one chain per
// container. Used by network.cpp. Everything here fills batches; committing is the caller's.
#pragma once

#include "base/result.hpp"
#include "garden/net/address.hpp"
#include "garden/net/evidence_table.hpp"
#include "garden/net/group_table.hpp"
#include "garden/net/names.hpp"
#include "garden/net/nft.hpp"
#include "garden/net/port_mapping.hpp"
#include "garden/net/shaping.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace garden::net {

struct HostPolicy {
    std::string tag;
    std::vector<Cidr> deny_networks;
    std::vector<Address> resolvers;    // port 53 is allowed whatever else says (NET-12)
    bool resolver_on_gateway = false;  // the host itself answers port 53 at the gateway address
    bool allow_host_access = false;
    // Where mapped ports are reached (NET-10); none: there are none in this family.
    std::optional<Address> external4, external6;
    bool egress_deny = false;  // NET-06: what no rule allows is refused, the whole world too
    // NET-11, of each container; 0: no limit.
    std::uint32_t max_connections = 0;
    std::uint32_t new_connections = 0;  // per second
    std::uint32_t new_connections_burst = 0;
    std::uint32_t half_open_connections = 0;          // opened and not answered yet
    std::uint32_t udp_packets = 0, icmp_packets = 0;  // per second
};

// What the rules know of one container.
struct Binding {
    std::string tag;
    std::string id;
    std::string host_interface;
    Mac mac{};
    Address address;
    std::optional<Address> address6;
    std::optional<Cidr>
            group;  // the subnet whose containers are one group (isolate_shared_subnets = false)
    std::vector<PortMapping> ports;
    Shaping shaping;
};

GroupPlace place_of(const Binding& binding);

inline Addresses addresses_of(const Binding& binding) {
    return {.v4 = binding.address, .v6 = binding.address6};
}

// The rule at a container's interface that drops what is not its own (NET-02), as text.
inline constexpr std::string_view kForgedRule = "frame with a foreign source";
inline constexpr const char* kForgedChain = "forged";  // counts them for the daemon

// Makes the table or brings an existing one up to date; the chains of containers stay as they are.
void put_host_policy(Batch& batch, const HostPolicy& policy);
// Without its interface, which goes with the namespace, there is nothing to guard.
void put_container(
        Batch& batch, const Binding& binding, const Group& group, bool has_interface = true);
// With the group that it has.
void remove_container(Batch& batch, const Binding& binding, const Group& group);
// Of a container that has its chains already. What is mapped so already stays.
void put_ports(Batch& batch, const Binding& binding);
// Again, with another limit of bandwidth.
void replace_ingress(Batch& batch, const Binding& binding);
// Another security group in place of the one it has.
void replace_group(Batch& batch, const Binding& binding, const Group& before, const Group& after);

// What really exists of one container, for removal when the usual batch finds something missing.
struct Remains {
    std::vector<std::string> chains;         // in the inet table
    std::vector<std::string> device_chains;  // in the device table
    std::vector<std::string> sets;           // of its security group
    std::vector<Element> egress4, egress6, bound4, bound6, ports4, ports6;
    std::vector<SetElement> evidence;

    bool empty() const {
        return chains.empty() && sets.empty() && evidence.empty() && device_chains.empty() &&
               egress4.empty() && egress6.empty() && bound4.empty() && bound6.empty() &&
               ports4.empty() && ports6.empty();
    }
};

// Without `addresses`, evidence is found by the addresses that other remains have.
base::Result<Remains> find_remains(
        Netlink& netfilter,
        const std::string& tag,
        std::string_view id,
        const std::optional<Addresses>& addresses = std::nullopt);
base::Result<std::vector<std::string>> ids_in_table(Netlink& netfilter, const std::string& tag);
void remove_remains(Batch& batch, const Remains& remains);

}  // namespace garden::net
