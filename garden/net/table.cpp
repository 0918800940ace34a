#include "garden/net/table.hpp"

#include "garden/net/metadata.hpp"
#include "garden/net/table_ceilings.hpp"
#include "garden/net/table_family.hpp"
#include "garden/net/table_nat.hpp"

#include <linux/if_ether.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

namespace garden::net {

namespace {

constexpr std::uint32_t kEstablished = 2 | 4;  // NF_CT_STATE_BIT of established and related
constexpr std::uint32_t kInvalid = 1;
constexpr int kIngressPriority = -500;  // before anything else sees the packet (NET-02)
constexpr int kFilterPriority = 0;
constexpr int kSourceNatPriority = 100;
constexpr const char* kNobody = "nobody";  // where a source that is no container's leads
constexpr std::uint16_t kDns = 53, kDhcpServer = 67, kDhcpClient = 68;
constexpr std::uint8_t kRouterAdvertisement = 134, kNeighbourSolicitation = 135,
                       kNeighbourAdvertisement = 136, kRedirect = 137;

Rule& protocol(Rule& rule, std::uint8_t number) {
    return rule.meta(NFT_META_L4PROTO).equals(std::array{number});
}

Rule& destination_port(Rule& rule, std::uint16_t port) {
    return rule.payload(Layer::transport, 2, 2).equals_u16(port);
}

Rule& icmp6_type(Rule& rule, std::uint8_t type) {
    return protocol(rule, IPPROTO_ICMPV6).payload(Layer::transport, 0, 1).equals(std::array{type});
}

std::vector<Element> interval_elements(const std::vector<Cidr>& networks, bool v6) {
    std::vector<Range> ranges;
    for (const Cidr& cidr : networks) {
        if (cidr.network.is_v6() == v6) ranges.push_back(range_of(cidr));
    }
    std::vector<Element> elements;
    const auto key = [](const Address& a) {
        return std::vector<std::uint8_t>(a.bytes.begin(), a.bytes.begin() + a.length);
    };
    for (const Range& range : merged(std::move(ranges))) {
        elements.push_back(Element{.key = key(range.first)});
        const Address end = plus(range.last, 1);
        // A range up to the last address of the family has no end element.
        if (end > range.first)
            elements.push_back(Element{.key = key(end), .flags = NFT_SET_ELEM_INTERVAL_END});
    }
    return elements;
}

Element bound_element(const Binding& binding, const Address& address) {
    Element element;
    element.key.assign(kInterfaceLength + kMacLength, 0);
    std::memcpy(
            element.key.data(), binding.host_interface.data(),
            std::min(binding.host_interface.size(), kInterfaceLength - 1));
    std::memcpy(element.key.data() + kInterfaceLength, binding.mac.data(), binding.mac.size());
    element.key.insert(
            element.key.end(), address.bytes.begin(), address.bytes.begin() + address.length);
    return element;
}

struct BindingElements {
    std::vector<Element> egress4, egress6, bound4, bound6, ports4, ports6;
};

BindingElements elements_of(const Binding& binding) {
    BindingElements all;
    all.egress4.push_back(address_element(binding.address));
    all.bound4.push_back(bound_element(binding, binding.address));
    if (binding.address6) {
        all.egress6.push_back(address_element(*binding.address6));
        all.bound6.push_back(bound_element(binding, *binding.address6));
        all.bound6.push_back(bound_element(binding, link_local(binding.mac)));
    }
    all.ports4 = port_elements(binding, binding.address);
    if (binding.address6) all.ports6 = port_elements(binding, *binding.address6);
    const std::string chain = egress_chain(binding.id);
    for (auto* set : {&all.egress4, &all.egress6}) {
        for (Element& element : *set) {
            element.go_to = chain;
            element.returns = true;
        }
    }
    return all;
}

void put_sets(Batch& batch, const HostPolicy& policy) {
    unsigned id = 0;
    std::vector<Cidr> metadata, resolvers;
    for (const char* text : kMetadataNetworks) metadata.push_back(parse_cidr(text).value());
    for (const Address& address : policy.resolvers)
        resolvers.push_back(parse_cidr(to_string(address)).value());
    for (const Family& family : {kV4, kV6}) {
        const unsigned type = family.v6 ? kTypeIp6 : kTypeIp4;
        batch.add_set(
                {.name = family.egress,
                 .key_type = type,
                 .key_length = family.length,
                 .verdicts = true,
                 .id = ++id});
        // An address that is nobody's.
        batch.add_elements(
                family.egress,
                std::array{Element{.flags = NFT_SET_ELEM_CATCHALL, .go_to = kNobody}}, false);
        batch.in(TableFamily::device);
        batch.add_set(
                {.name = family.bound,
                 .flags = 0,
                 .key_type = (kTypeInterface << 12) | (kTypeMac << 6) | type,
                 .key_length = static_cast<unsigned>(kInterfaceLength + kMacLength) + family.length,
                 .id = ++id});
        batch.in(TableFamily::inet);
        put_port_map(batch, family, ++id);
        put_limit_sets(batch, family, id);
        const std::pair<const char*, const std::vector<Cidr>&> lists[] = {
                {family.deny, policy.deny_networks},
                {family.metadata, metadata},
                {family.resolver, resolvers}};
        for (const auto& [name, networks] : lists) {
            batch.add_set(
                    {.name = name,
                     .flags = NFT_SET_INTERVAL,
                     .key_type = type,
                     .key_length = family.length,
                     .id = ++id});
            batch.flush_set(name);
            batch.add_elements(name, interval_elements(networks, family.v6));
        }
    }
}

Rule of_ethertype(std::uint16_t type) {
    Rule rule;
    rule.meta(NFT_META_PROTOCOL).equals_u16(type);
    return rule;
}

// Only a frame with the interface's own MAC and address passes (NET-02); every other one comes back
// to the chain of its interface and is dropped there. In the device table: an ingress chain of the
// inet family never sees ARP.
void put_spoof_chain(Batch& batch) {
    Rule dhcp = of_ethertype(ETH_P_IP);
    protocol(dhcp, IPPROTO_UDP).payload(Layer::transport, 0, 2).equals_u16(kDhcpServer);
    dhcp.payload(Layer::transport, 2, 2).equals_u16(kDhcpClient).go_to(kForgedChain);
    batch.append("spoof", std::move(dhcp));
    for (const std::uint8_t type : {kRouterAdvertisement, kRedirect}) {
        Rule rule = of_ethertype(ETH_P_IPV6);
        batch.append("spoof", std::move(icmp6_type(rule, type).go_to(kForgedChain)));
    }
    for (const Family& family : {kV4, kV6}) {
        Rule rule = of_ethertype(family.ethertype);
        rule.meta(NFT_META_IIFNAME)
                .payload(Layer::link, 6, 6, NFT_REG32_04)
                .payload(Layer::network, family.source, family.length, NFT_REG32_06)
                .in_set(family.bound)
                .accept();
        batch.append("spoof", std::move(rule));
    }
    // ARP: both the frame and the claim inside must be the container's own.
    Rule arp = of_ethertype(ETH_P_ARP);
    arp.meta(NFT_META_IIFNAME)
            .payload(Layer::link, 6, 6, NFT_REG32_04)
            .payload(Layer::network, 14, 4, NFT_REG32_06)
            .in_set(kV4.bound)
            .payload(Layer::network, 8, 6, NFT_REG32_04)
            .in_set(kV4.bound)
            .accept();
    batch.append("spoof", std::move(arp));
    batch.append("spoof", std::move(Rule().go_to(kForgedChain)));
    // Counts for the daemon and returns to the container's own chain, which counts for the
    // container, logs and drops.
    batch.append(
            kForgedChain, std::move(Rule().counter().comment("frame that is not the container's")));
}

void append_resolvers(Batch& batch, const std::string& chain) {
    for (const Family& family : {kV4, kV6}) {
        for (const std::uint8_t number : {std::uint8_t{IPPROTO_UDP}, std::uint8_t{IPPROTO_TCP}}) {
            Rule rule = of_family(family);
            destination_port(protocol(rule, number), kDns);
            batch.append(
                    chain, std::move(destination(rule, family).in_set(family.resolver).accept()));
        }
    }
}

void append_established(Batch& batch, const std::string& chain) {
    batch.append(chain, std::move(Rule().conntrack_has(NFT_CT_STATE, kEstablished).accept()));
}

// Container to the host itself (NET-04).
void put_input(Batch& batch, const HostPolicy& policy) {
    batch.append(
            "input", std::move(Rule().meta(NFT_META_IIFGROUP)
                                       .equals_u32(interface_group(policy.tag))
                                       .jump("to_host")));
    append_packet_ceilings(batch, policy, "to_host");
    append_established(batch, "to_host");
    batch.append("to_host", std::move(Rule().jump("ceilings")));
    append_resolvers(batch, "to_host");
    if (policy.resolver_on_gateway) {
        for (const std::uint8_t number : {std::uint8_t{IPPROTO_UDP}, std::uint8_t{IPPROTO_TCP}}) {
            Rule rule;
            batch.append(
                    "to_host", std::move(destination_port(protocol(rule, number), kDns).accept()));
        }
    }
    for (const std::uint8_t type : {kNeighbourSolicitation, kNeighbourAdvertisement}) {
        Rule rule = of_family(kV6);
        batch.append("to_host", std::move(icmp6_type(rule, type).accept()));
    }
    if (policy.allow_host_access) {
        batch.append("to_host", std::move(Rule().accept()));
    } else {
        batch.append("to_host", std::move(Rule().go_to(refusal_chain(Refusal::host))));
    }
}

// Container to elsewhere, and elsewhere to container.
void put_forward(Batch& batch, const HostPolicy& policy) {
    const std::uint32_t group = interface_group(policy.tag);
    batch.append(
            "forward",
            std::move(Rule().meta(NFT_META_IIFGROUP).equals_u32(group).jump("from_container")));
    batch.append(
            "forward",
            std::move(Rule().meta(NFT_META_OIFGROUP).equals_u32(group).jump("to_container")));

    append_packet_ceilings(batch, policy, "from_container");
    append_answered(batch, policy, "from_container");
    append_established(batch, "from_container");
    // What belongs to no connection would leave with the container's own address: NAT skips it.
    batch.append(
            "from_container",
            std::move(Rule().conntrack_has(NFT_CT_STATE, kInvalid).counter().drop()));
    batch.append("from_container", std::move(Rule().jump("ceilings")));
    append_hairpin(batch, policy);
    append_resolvers(batch, "from_container");
    for (const Family& family : {kV4, kV6}) {
        Rule rule = of_family(family);
        destination(rule, family).in_set(family.metadata).go_to(refusal_chain(Refusal::metadata));
        batch.append("from_container", std::move(rule));
    }
    for (const Family& family : {kV4, kV6}) {
        Rule rule = of_family(family);
        batch.append("from_container", std::move(source(rule, family).verdict_map(family.egress)));
    }
    batch.append("from_container", std::move(Rule().go_to("default")));
    batch.append(kNobody, std::move(Rule().counter().drop()));

    // What no rule of the container decided. Containers do not reach each other (NET-04); denied
    // networks answer as Garden's REJECT does; the rest of the world is open.
    batch.append(
            "default", std::move(Rule().meta(NFT_META_OIFGROUP)
                                         .equals_u32(group)
                                         .go_to(refusal_chain(Refusal::container))));
    for (const Family& family : {kV4, kV6}) {
        Rule rule = of_family(family);
        destination(rule, family).in_set(family.deny).go_to(refusal_chain(Refusal::network));
        batch.append("default", std::move(rule));
    }
    if (policy.egress_deny) {
        batch.append("default", std::move(Rule().go_to(refusal_chain(Refusal::network))));
    } else {
        append_counted_accept(batch, "default");
    }

    append_answered(batch, policy, "to_container");
    append_established(batch, "to_container");
    batch.append(
            "to_container", std::move(Rule().conntrack_has(NFT_CT_STATUS, IPS_DST_NAT).accept()));
    batch.append("to_container", std::move(Rule().go_to(refusal_chain(Refusal::inbound))));
}

}  // namespace

void put_host_policy(Batch& batch, const HostPolicy& policy) {
    batch.add_table();
    batch.add_base_chain("input", {.hook = NF_INET_LOCAL_IN, .priority = kFilterPriority}, false);
    batch.add_base_chain("forward", {.hook = NF_INET_FORWARD, .priority = kFilterPriority}, false);
    batch.add_base_chain(
            "postrouting",
            {.hook = NF_INET_POST_ROUTING, .priority = kSourceNatPriority, .type = "nat"}, false);
    for (const char* chain : {"to_host", "from_container", "to_container", "default", kNobody})
        batch.add_chain(chain, false);
    add_nat_chains(batch);
    // Rebuilt at every start, in the same transaction: changed settings apply to living containers,
    // without a gap.
    for (const char* chain :
         {"input", "forward", "postrouting", "to_host", "from_container", "to_container", "default",
          kNobody}) {
        batch.flush_chain(chain);
    }
    flush_nat_chains(batch);
    add_ceiling_chains(batch);
    add_refusal_chains(batch);
    batch.in(TableFamily::device);
    batch.add_table();
    for (const char* chain : {"spoof", kForgedChain}) {
        batch.add_chain(chain, false);
        batch.flush_chain(chain);
    }
    batch.in(TableFamily::inet);
    put_sets(batch, policy);
    put_ceiling_sets(batch);
    put_refusals(batch, log_group(policy.tag));
    batch.in(TableFamily::device);
    put_spoof_chain(batch);
    batch.in(TableFamily::inet);
    put_input(batch, policy);
    put_forward(batch, policy);
    append_half_open(batch, policy);
    put_nat(batch, policy);
    put_limits(batch, policy);
    put_ceilings(batch, policy);
    const std::uint32_t group = interface_group(policy.tag);
    Rule outward;
    outward.meta(NFT_META_IIFGROUP)
            .equals_u32(group)
            .meta(NFT_META_OIFGROUP)
            .differs_u32(group)
            .masquerade();
    batch.append("postrouting", std::move(outward));
}

namespace {

// Behind the security group. The end of the chain leads back, and so to "default".
void append_own_subnet(Batch& batch, const Binding& binding) {
    if (!binding.group) return;
    std::uint32_t network = 0;
    std::memcpy(&network, binding.group->network.bytes.data(), sizeof network);
    Rule rule = of_family(kV4);
    destination(rule, kV4)
            .masked_u32(htonl(~std::uint32_t{0} << (32 - binding.group->prefix)), network)
            .counter()
            .accept()
            .comment("to its own subnet");
    batch.append(egress_chain(binding.id), std::move(rule));
}

void append_ingress(Batch& batch, const Binding& binding) {
    const std::string ingress = ingress_chain(binding.id);
    // NET-14: the container's own end shapes, and whoever is root there could stop that; here is
    // nothing that it reaches. In front, as `spoof` accepts.
    if (binding.shaping.rate != 0) {
        batch.append(
                ingress, std::move(Rule().bytes_over(binding.shaping.rate, binding.shaping.burst)
                                           .counter()
                                           .drop()));
    }
    batch.append(ingress, std::move(Rule().jump("spoof")));
    Rule logged;
    logged.limit(kLogPerSecond, kLogBurst)
            .counter()
            .log(log_group(binding.tag), binding.id + " forged ");
    batch.append(ingress, std::move(logged));
    batch.append(ingress, std::move(Rule().counter().drop().comment(kForgedRule)));
}

}  // namespace

GroupPlace place_of(const Binding& binding) {
    return {.id = binding.id,
            .v6 = binding.address6.has_value(),
            .log_group = log_group(binding.tag)};
}

void put_container(Batch& batch, const Binding& binding, const Group& group, bool has_interface) {
    const std::string egress = egress_chain(binding.id);
    const BindingElements elements = elements_of(binding);
    batch.add_chain(egress, true);
    put_group(batch, place_of(binding), group);
    append_own_subnet(batch, binding);
    batch.add_elements(kV4.egress, elements.egress4);
    batch.add_elements(kV6.egress, elements.egress6);
    batch.add_elements(kV4.ports, elements.ports4);
    batch.add_elements(kV6.ports, elements.ports6);
    put_evidence(batch, addresses_of(binding));
    batch.in(TableFamily::device);
    if (has_interface) {
        batch.add_base_chain(
                ingress_chain(binding.id),
                {.hook = NF_NETDEV_INGRESS,
                 .priority = kIngressPriority,
                 .device = binding.host_interface},
                true);
        append_ingress(batch, binding);
    }
    batch.add_elements(kV4.bound, elements.bound4);
    batch.add_elements(kV6.bound, elements.bound6);
    batch.in(TableFamily::inet);
}

void put_ports(Batch& batch, const Binding& binding) {
    const BindingElements elements = elements_of(binding);
    batch.add_elements(kV4.ports, elements.ports4, false);
    batch.add_elements(kV6.ports, elements.ports6, false);
}

void replace_ingress(Batch& batch, const Binding& binding) {
    batch.in(TableFamily::device);
    batch.flush_chain(ingress_chain(binding.id));
    append_ingress(batch, binding);
    batch.in(TableFamily::inet);
}

void replace_group(Batch& batch, const Binding& binding, const Group& before, const Group& after) {
    if (change_group(batch, place_of(binding), before, after)) append_own_subnet(batch, binding);
}

void remove_container(Batch& batch, const Binding& binding, const Group& group) {
    const BindingElements elements = elements_of(binding);
    batch.delete_elements(kV4.egress, elements.egress4);
    batch.delete_elements(kV6.egress, elements.egress6);
    batch.delete_elements(kV4.ports, elements.ports4);
    batch.delete_elements(kV6.ports, elements.ports6);
    remove_evidence(batch, addresses_of(binding));
    batch.delete_chain(egress_chain(binding.id));
    remove_group(batch, place_of(binding), group);
    batch.in(TableFamily::device);
    batch.delete_elements(kV4.bound, elements.bound4);
    batch.delete_elements(kV6.bound, elements.bound6);
    batch.delete_chain(ingress_chain(binding.id));
    batch.in(TableFamily::inet);
}

}  // namespace garden::net
