#include "garden/net/table_nat.hpp"

#include "garden/net/evidence_words.hpp"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>

#include <array>
#include <initializer_list>
#include <optional>
#include <utility>

namespace garden::net {

namespace {

constexpr std::uint32_t kNew = 1U << 3;  // NF_CT_STATE_BIT(IP_CT_NEW)
constexpr int kDestinationNatPriority = -100;
constexpr int kBeforeNatPriority = kDestinationNatPriority - 1;
constexpr unsigned kPaddedPort = 4, kPaddedProtocol = 4;  // fields of a key are whole words
// A container has one element per family: as many as the largest address pool has containers.
constexpr std::uint32_t kLimitedAddresses = 65'536;
constexpr std::uint64_t kRateMemoryMs = 60'000;

constexpr const char* kBaseChains[] = {"prerouting", "output", "before_nat"};
constexpr const char* kChains[] = {"hairpin", "ceilings"};

std::span<const std::uint8_t> bytes_of(const Address& address) {
    return {address.bytes.data(), address.length};
}

struct External {
    const Family& family;
    const std::optional<Address>& address;
};

std::array<External, 2> externals(const HostPolicy& policy) {
    return {External{kV4, policy.external4}, External{kV6, policy.external6}};
}

// Continues when the packet is for a mapped port of the external address; where that leads to is in
// the registers then.
void to_mapped_port(Rule& rule, const External& external) {
    destination(rule, external.family).equals(bytes_of(*external.address));
    rule.meta(NFT_META_L4PROTO, NFT_REG32_00)
            .payload(Layer::transport, 2, 2, NFT_REG32_01)
            .data_map(external.family.ports);
}

void put_port(std::vector<std::uint8_t>& bytes, std::uint16_t port) {
    bytes.insert(
            bytes.end(),
            {static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port), 0, 0});
}

}  // namespace

void put_port_map(Batch& batch, const Family& family, unsigned id) {
    batch.add_set(
            {.name = family.ports,
             .key_type = (kTypeProtocol << 6) | kTypePort,
             .key_length = kPaddedProtocol + kPaddedPort,
             .id = id,
             .data_type = ((family.v6 ? kTypeIp6 : kTypeIp4) << 6) | kTypePort,
             .data_length = family.length + kPaddedPort});
}

void put_limit_sets(Batch& batch, const Family& family, unsigned& id) {
    const unsigned type = family.v6 ? kTypeIp6 : kTypeIp4;
    batch.add_set(
            {.name = family.rates,
             .flags = NFT_SET_EVAL,
             .key_type = type,
             .key_length = family.length,
             .id = ++id,
             .capacity = kLimitedAddresses,
             .timeout_ms = kRateMemoryMs});
    // Without a timeout: the kernel takes an element away when its last connection has ended.
    batch.add_set(
            {.name = family.connections,
             .flags = NFT_SET_EVAL,
             .key_type = type,
             .key_length = family.length,
             .id = ++id,
             .capacity = kLimitedAddresses});
    // Elements keep the limit they were made with: a changed setting begins with new ones.
    batch.flush_set(family.rates);
    batch.flush_set(family.connections);
}

std::vector<Element> port_elements(const Binding& binding, const Address& address) {
    std::vector<Element> elements;
    for (const PortMapping& mapping : binding.ports) {
        for (const std::uint8_t number : {std::uint8_t{IPPROTO_TCP}, std::uint8_t{IPPROTO_UDP}}) {
            Element element{.key = {number, 0, 0, 0}, .comment = binding.id};
            put_port(element.key, mapping.host_port);
            element.data.assign(address.bytes.begin(), address.bytes.begin() + address.length);
            put_port(element.data, mapping.container_port);
            elements.push_back(std::move(element));
        }
    }
    return elements;
}

void add_nat_chains(Batch& batch) {
    batch.add_base_chain(
            "prerouting",
            {.hook = NF_INET_PRE_ROUTING, .priority = kDestinationNatPriority, .type = "nat"},
            false);
    batch.add_base_chain(
            "output",
            {.hook = NF_INET_LOCAL_OUT, .priority = kDestinationNatPriority, .type = "nat"}, false);
    batch.add_base_chain(
            "before_nat", {.hook = NF_INET_PRE_ROUTING, .priority = kBeforeNatPriority}, false);
    for (const char* chain : kChains) batch.add_chain(chain, false);
}

void flush_nat_chains(Batch& batch) {
    for (const char* chain : kBaseChains) batch.flush_chain(chain);
    for (const char* chain : kChains) batch.flush_chain(chain);
}

void put_nat(Batch& batch, const HostPolicy& policy) {
    const std::uint32_t group = interface_group(policy.tag);
    for (const External& external : externals(policy)) {
        if (!external.address) continue;
        // From outside and from other containers; from the host itself.
        for (const char* chain : {"prerouting", "output"}) {
            Rule rule = of_family(external.family);
            to_mapped_port(rule, external);
            batch.append(chain, std::move(rule.destination_nat(external.family.v6)));
        }
        // A container that calls a mapped port is judged by its rules while the packet still says
        // what it called: rules are about the external address, not about whoever is behind it.
        Rule judged = of_family(external.family);
        judged.meta(NFT_META_IIFGROUP).equals_u32(group).conntrack_has(NFT_CT_STATE, kNew);
        to_mapped_port(judged, external);
        batch.append("before_nat", std::move(judged.jump("hairpin")));

        Rule own = of_family(external.family);
        batch.append(
                "hairpin",
                std::move(source(own, external.family).verdict_map(external.family.egress)));
    }
    batch.append("hairpin", std::move(Rule().go_to("default")));

    // The answer must come back through the host, even where both sit on one bridge or are one.
    Rule back;
    back.meta(NFT_META_IIFGROUP).equals_u32(group).meta(NFT_META_OIFGROUP).equals_u32(group);
    batch.append(
            "postrouting", std::move(back.conntrack_has(NFT_CT_STATUS, IPS_DST_NAT).masquerade()));
}

void append_hairpin(Batch& batch, const HostPolicy& policy) {
    for (const External& external : externals(policy)) {
        if (!external.address) continue;
        Rule rule = of_family(external.family);
        rule.meta(NFT_META_OIFGROUP)
                .equals_u32(interface_group(policy.tag))
                .conntrack_has(NFT_CT_STATUS, IPS_DST_NAT)
                .conntrack(external.family.conntrack_destination, IP_CT_DIR_ORIGINAL)
                .equals(bytes_of(*external.address))
                .accept();
        batch.append("from_container", std::move(rule));
    }
}

void put_limits(Batch& batch, const HostPolicy& policy) {
    const std::string over = refusal_chain(Refusal::limits);
    for (const Family& family : {kV4, kV6}) {
        if (policy.new_connections != 0) {
            Rule rule = of_family(family);
            source(rule, family)
                    .packets_over(
                            family.rates, policy.new_connections, policy.new_connections_burst)
                    .go_to(over);
            batch.append("ceilings", std::move(rule));
        }
        if (policy.max_connections != 0) {
            Rule rule = of_family(family);
            source(rule, family)
                    .connections_over(family.connections, policy.max_connections)
                    .go_to(over);
            batch.append("ceilings", std::move(rule));
        }
    }
}

}  // namespace garden::net
