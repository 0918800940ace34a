#include "garden/net/table.hpp"

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
constexpr int kIngressPriority = -500;         // before anything else sees the packet (NET-02)
constexpr int kFilterPriority = 0;
constexpr int kSourceNatPriority = 100;
// nft's numbers of data types, six bits each when concatenated.
constexpr unsigned kTypeIp4 = 7, kTypeIp6 = 8, kTypeMac = 9, kTypeInterface = 41;
constexpr std::size_t kInterfaceLength = 16, kMacLength = 8;

constexpr std::uint16_t kDns = 53, kDhcpServer = 67, kDhcpClient = 68;
constexpr std::uint8_t kRouterAdvertisement = 134, kNeighbourSolicitation = 135,
                       kNeighbourAdvertisement = 136, kRedirect = 137;

// NET-05. Denied before every rule of a user.
constexpr std::array kMetadata = {"169.254.0.0/16",   "100.100.100.200/32", "192.0.0.192/32",
                                  "168.63.129.16/32", "100.96.0.96/32",     "100.80.80.80/32",
                                  "fd00:ec2::254/128"};

struct Family {
    bool v6 = false;
    std::uint8_t nfproto = NFPROTO_IPV4;
    std::uint16_t ethertype = ETH_P_IP;
    unsigned source = 12, destination = 16, length = 4;
    const char* egress = "egress4";
    const char* bound = "bound4";
    const char* deny = "deny4";
    const char* metadata = "metadata4";
    const char* resolver = "resolver4";
};

constexpr Family kV4{};
constexpr Family kV6{
        .v6 = true,
        .nfproto = NFPROTO_IPV6,
        .ethertype = ETH_P_IPV6,
        .source = 8,
        .destination = 24,
        .length = 16,
        .egress = "egress6",
        .bound = "bound6",
        .deny = "deny6",
        .metadata = "metadata6",
        .resolver = "resolver6"};

Rule of_family(const Family& family) {
    Rule rule;
    rule.meta(NFT_META_NFPROTO).equals(std::array{family.nfproto});
    return rule;
}

Rule& source(Rule& rule, const Family& family) {
    return rule.payload(Layer::network, family.source, family.length);
}

Rule& destination(Rule& rule, const Family& family) {
    return rule.payload(Layer::network, family.destination, family.length);
}

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

Element address_element(const Address& address) {
    return Element{.key = {address.bytes.begin(), address.bytes.begin() + address.length}};
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
    std::vector<Element> egress4, egress6, bound4, bound6;
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
    const std::string chain = egress_chain(binding.id);
    for (auto* set : {&all.egress4, &all.egress6}) {
        for (Element& element : *set) element.go_to = chain;
    }
    return all;
}

void put_sets(Batch& batch, const HostPolicy& policy) {
    unsigned id = 0;
    std::vector<Cidr> metadata, resolvers;
    for (const char* text : kMetadata) metadata.push_back(parse_cidr(text).value());
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
        batch.in(TableFamily::device);
        batch.add_set(
                {.name = family.bound,
                 .flags = 0,
                 .key_type = (kTypeInterface << 12) | (kTypeMac << 6) | type,
                 .key_length = static_cast<unsigned>(kInterfaceLength + kMacLength) + family.length,
                 .id = ++id});
        batch.in(TableFamily::inet);
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
    append_established(batch, "to_host");
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

    append_established(batch, "from_container");
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
    batch.append(
            "from_container", std::move(Rule().counter().drop()));  // an address that is nobody's

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
    append_counted_accept(batch, "default");

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
    for (const char* chain : {"to_host", "from_container", "to_container", "default"})
        batch.add_chain(chain, false);
    // Rebuilt at every start, in the same transaction: changed settings apply to living containers,
    // without a gap.
    for (const char* chain :
         {"input", "forward", "postrouting", "to_host", "from_container", "to_container",
          "default"}) {
        batch.flush_chain(chain);
    }
    add_refusal_chains(batch);
    batch.in(TableFamily::device);
    batch.add_table();
    for (const char* chain : {"spoof", kForgedChain}) {
        batch.add_chain(chain, false);
        batch.flush_chain(chain);
    }
    batch.in(TableFamily::inet);
    put_sets(batch, policy);
    put_refusals(batch, log_group(policy.tag));
    batch.in(TableFamily::device);
    put_spoof_chain(batch);
    batch.in(TableFamily::inet);
    put_input(batch, policy);
    put_forward(batch, policy);
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

void put_ingress(Batch& batch, const Binding& binding) {
    const std::string chain = ingress_chain(binding.id);
    batch.add_base_chain(
            chain,
            {.hook = NF_NETDEV_INGRESS,
             .priority = kIngressPriority,
             .device = binding.host_interface},
            true);
    batch.append(chain, std::move(Rule().jump("spoof")));
    Rule logged;
    logged.limit(kLogPerSecond, kLogBurst)
            .counter()
            .log(log_group(binding.tag), binding.id + " forged ");
    batch.append(chain, std::move(logged));
    batch.append(chain, std::move(Rule().counter().drop().comment(kForgedRule)));
}

}  // namespace

void put_container(Batch& batch, const Binding& binding, bool has_interface) {
    const std::string egress = egress_chain(binding.id);
    const BindingElements elements = elements_of(binding);
    batch.add_chain(egress, true);
    if (binding.group) {
        std::uint32_t network = 0;
        std::memcpy(&network, binding.group->network.bytes.data(), sizeof network);
        Rule rule = of_family(kV4);
        destination(rule, kV4)
                .masked_u32(htonl(~std::uint32_t{0} << (32 - binding.group->prefix)), network)
                .counter()
                .accept()
                .comment("to its own subnet");
        batch.append(egress, std::move(rule));
    }
    batch.append(egress, std::move(Rule().go_to("default")));
    batch.add_elements(kV4.egress, elements.egress4);
    batch.add_elements(kV6.egress, elements.egress6);
    put_evidence(batch, addresses_of(binding));
    batch.in(TableFamily::device);
    if (has_interface) put_ingress(batch, binding);
    batch.add_elements(kV4.bound, elements.bound4);
    batch.add_elements(kV6.bound, elements.bound6);
    batch.in(TableFamily::inet);
}

void remove_container(Batch& batch, const Binding& binding) {
    const BindingElements elements = elements_of(binding);
    batch.delete_elements(kV4.egress, elements.egress4);
    batch.delete_elements(kV6.egress, elements.egress6);
    remove_evidence(batch, addresses_of(binding));
    batch.delete_chain(egress_chain(binding.id));
    batch.in(TableFamily::device);
    batch.delete_elements(kV4.bound, elements.bound4);
    batch.delete_elements(kV6.bound, elements.bound6);
    batch.delete_chain(ingress_chain(binding.id));
    batch.in(TableFamily::inet);
}

namespace {

// The lease id that an element belongs to: its verdict's chain, or the interface at the start of
// its key.
std::string owner_of(const Element& element, const std::string& tag) {
    if (!element.go_to.empty()) return id_of_chain(element.go_to).value_or("");
    if (element.key.size() < kInterfaceLength) return "";
    const std::string name(
            element.key.begin(),
            std::find(element.key.begin(), element.key.begin() + kInterfaceLength, 0));
    return id_of_interface(tag, name).value_or("");
}

// Each chain and element of a container with its owner.
template <class ChainFound, class ElementFound>
base::Result<void> walk(
        Netlink& netfilter, const std::string& tag, ChainFound chain, ElementFound found) {
    const std::string table = table_name(tag);
    for (const TableFamily family : {TableFamily::inet, TableFamily::device}) {
        const std::vector<std::string> chains = TRY(list_chains(netfilter, family, table));
        for (const std::string& name : chains) {
            if (auto id = id_of_chain(name)) chain(*id, family, name);
        }
        if (chains.empty()) continue;  // no table of ours
        for (const Family& version : {kV4, kV6}) {
            const char* set = family == TableFamily::inet ? version.egress : version.bound;
            std::vector<Element> elements = TRY(list_elements(netfilter, family, table, set));
            for (Element& element : elements) {
                const std::string id = owner_of(element, tag);
                if (!id.empty()) found(id, set, std::move(element));
            }
        }
    }
    return base::ok;
}

}  // namespace

base::Result<Remains> find_remains(
        Netlink& netfilter,
        const std::string& tag,
        std::string_view id,
        const std::optional<Addresses>& addresses) {
    Remains remains;
    TRY(walk(
            netfilter, tag,
            [&](const std::string& owner, TableFamily family, const std::string& name) {
                if (owner != id) return;
                (family == TableFamily::inet ? remains.chains : remains.device_chains)
                        .push_back(name);
            },
            [&](const std::string& owner, std::string_view set, Element element) {
                if (owner != id) return;
                auto& list = set == kV4.egress   ? remains.egress4
                             : set == kV6.egress ? remains.egress6
                             : set == kV4.bound  ? remains.bound4
                                                 : remains.bound6;
                list.push_back(std::move(element));
            }));
    std::vector<Element> keys = remains.egress4;
    keys.insert(keys.end(), remains.egress6.begin(), remains.egress6.end());
    if (addresses) keys.push_back(address_element(addresses->v4));
    if (addresses && addresses->v6) keys.push_back(address_element(*addresses->v6));
    if (!keys.empty()) remains.evidence = TRY(find_evidence(netfilter, table_name(tag), keys));
    return remains;
}

base::Result<std::vector<std::string>> ids_in_table(Netlink& netfilter, const std::string& tag) {
    std::set<std::string> ids;
    TRY(walk(
            netfilter, tag,
            [&](const std::string& id, TableFamily, const std::string&) { ids.insert(id); },
            [&](const std::string& id, std::string_view, const Element&) { ids.insert(id); }));
    return std::vector<std::string>(ids.begin(), ids.end());
}

void remove_remains(Batch& batch, const Remains& remains) {
    batch.delete_elements(kV4.egress, remains.egress4);
    batch.delete_elements(kV6.egress, remains.egress6);
    for (const SetElement& found : remains.evidence)
        batch.delete_elements(found.set, std::array{found.element});
    for (const std::string& chain : remains.chains) batch.delete_chain(chain);
    batch.in(TableFamily::device);
    batch.delete_elements(kV4.bound, remains.bound4);
    batch.delete_elements(kV6.bound, remains.bound6);
    for (const std::string& chain : remains.device_chains) batch.delete_chain(chain);
    batch.in(TableFamily::inet);
}

}  // namespace garden::net
