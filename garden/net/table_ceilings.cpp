#include "garden/net/table_ceilings.hpp"

#include "garden/net/evidence_words.hpp"
#include "garden/net/table_family.hpp"

#include <linux/netfilter/nf_conntrack_common.h>

#include <array>
#include <cstdint>

namespace garden::net {

namespace {

constexpr const char *kHalfOpen = "half_open", *kAnswered = "answered", *kFloods = "floods";
constexpr const char* kChains[] = {kHalfOpen, kAnswered, kFloods};
// As long as the kernel itself waits for the answer to a SYN.
constexpr std::uint64_t kUnansweredMs = 120'000;
// Of all containers together; memory is only taken for what is there.
constexpr std::uint32_t kUnanswered = 1U << 20;
constexpr std::uint32_t kAddresses = 65'536;
constexpr std::uint64_t kRateMemoryMs = 60'000;
constexpr unsigned kTries = 8;
constexpr unsigned kTypeMark = 19;  // nft's number of the data type

std::string name(const char* stem, const Family& family) {
    return std::string(stem) + (family.v6 ? "6" : "4");
}

// Registers are words: the container's address, a slot, the hash of the flow, the flow.
struct Registers {
    unsigned slot, hash, flow;
};

Registers registers_of(const Family& family) {
    const unsigned slot = NFT_REG32_00 + family.length / 4;
    return {.slot = slot, .hash = slot + 1, .flow = slot + 2};
}

// A flow as its opener sees it: own address and port, the other's address and port. `answer`: read
// from a packet that comes back. Then where it may be, in the order tried, and by what it is known.
void load_place(Rule& rule, const Family& family, unsigned attempt, bool answer, unsigned slots) {
    constexpr std::uint32_t kSeed = 0x636c'6f63, kAll = 0x7fff'ffff;
    const Registers at = registers_of(family);
    const unsigned words = family.length / 4;
    const unsigned own = answer ? family.destination : family.source;
    const unsigned other = answer ? family.source : family.destination;
    rule.payload(Layer::network, own, family.length, at.flow)
            .payload(Layer::transport, answer ? 2 : 0, 2, at.flow + words)
            .payload(Layer::network, other, family.length, at.flow + words + 1)
            .payload(Layer::transport, answer ? 0 : 2, 2, at.flow + 2 * words + 1);
    const unsigned length = 2 * (family.length + 4);
    rule.hash(at.flow, length, at.slot, slots, kSeed + attempt)
            .hash(at.flow, length, at.hash, kAll, kSeed - 1);
    rule.payload(Layer::network, own, family.length);
}

Rule& protocol(Rule& rule, std::uint8_t number) {
    return rule.meta(NFT_META_L4PROTO).equals(std::array{number});
}

// A container has as many slots as it may have half-open connections, and a new connection takes a
// free one of eight that its addresses and ports lead to: nearly always found until three quarters
// are taken, and there are never more than there are slots. How many elements an address has is
// nothing that a rule could ask for, and a set for each container would be made with each.
// nft 1.0.6 cannot print a key that came out of a map, hence no map from flow to slot.
void put_half_open(Batch& batch, const HostPolicy& policy, const Family& family) {
    for (unsigned attempt = 0; attempt < kTries; ++attempt) {
        Rule rule = of_family(family);
        load_place(rule, family, attempt, false, policy.half_open_connections);
        rule.not_in_set(name("half_open", family))
                .put_element(name("half_open", family))
                .put_element(name("waiting", family))
                .leave();
        batch.append(kHalfOpen, std::move(rule));
    }
}

// Of the packets that come here only the first answers wait in one of these places.
void put_answered(Batch& batch, const HostPolicy& policy, const Family& family) {
    for (unsigned attempt = 0; attempt < kTries; ++attempt) {
        Rule rule = of_family(family);
        load_place(rule, family, attempt, true, policy.half_open_connections);
        rule.in_set(name("waiting", family))
                .drop_element(name("waiting", family))
                .drop_element(name("half_open", family))
                .leave();
        batch.append(kAnswered, std::move(rule));
    }
}

struct PacketCeiling {
    std::uint8_t protocol;
    const Family& family;
    const char* set;
    std::uint32_t per_second;
};

std::array<PacketCeiling, 4> ceilings_of(const HostPolicy& policy) {
    return {PacketCeiling{IPPROTO_UDP, kV4, "udp_packets", policy.udp_packets},
            PacketCeiling{IPPROTO_UDP, kV6, "udp_packets", policy.udp_packets},
            PacketCeiling{IPPROTO_ICMP, kV4, "icmp_packets", policy.icmp_packets},
            PacketCeiling{IPPROTO_ICMPV6, kV6, "icmp_packets", policy.icmp_packets}};
}

}  // namespace

void add_ceiling_chains(Batch& batch) {
    for (const char* chain : kChains) {
        batch.add_chain(chain, false);
        batch.flush_chain(chain);
    }
}

void put_ceiling_sets(Batch& batch) {
    for (const Family& family : {kV4, kV6}) {
        const unsigned type = family.v6 ? kTypeIp6 : kTypeIp4;
        const unsigned word = 4;
        batch.add_set(
                {.name = name("half_open", family),
                 .flags = NFT_SET_EVAL,
                 .key_type = (type << 6) | kTypeMark,
                 .key_length = family.length + word,
                 .capacity = kUnanswered,
                 .timeout_ms = kUnansweredMs});
        batch.add_set(
                {.name = name("waiting", family),
                 .flags = NFT_SET_EVAL,
                 .key_type = (type << 12) | (kTypeMark << 6) | kTypeMark,
                 .key_length = family.length + 2 * word,
                 .capacity = kUnanswered,
                 .timeout_ms = kUnansweredMs});
        for (const char* stem : {"udp_packets", "icmp_packets"}) {
            batch.add_set(
                    {.name = name(stem, family),
                     .flags = NFT_SET_EVAL,
                     .key_type = type,
                     .key_length = family.length,
                     .capacity = kAddresses,
                     .timeout_ms = kRateMemoryMs});
        }
        // Elements keep the limit, or the slots, that they were made with.
        for (const char* stem : {"half_open", "waiting", "udp_packets", "icmp_packets"})
            batch.flush_set(name(stem, family));
    }
}

void put_ceilings(Batch& batch, const HostPolicy& policy) {
    const std::string over = refusal_chain(Refusal::limits);
    if (policy.half_open_connections != 0) {
        for (const Family& family : {kV4, kV6}) {
            put_half_open(batch, policy, family);
            put_answered(batch, policy, family);
        }
        batch.append(kHalfOpen, std::move(Rule().go_to(over)));
    }
    for (const PacketCeiling& ceiling : ceilings_of(policy)) {
        if (ceiling.per_second == 0) continue;
        Rule rule = of_family(ceiling.family);
        protocol(rule, ceiling.protocol);
        // As many again at once: packets come in bursts.
        source(rule, ceiling.family)
                .packets_over(
                        name(ceiling.set, ceiling.family), ceiling.per_second, ceiling.per_second)
                .go_to(over);
        batch.append(kFloods, std::move(rule));
    }
}

// Only the first packet of a connection comes here, as it is a chain of translation; and only when
// it is allowed, so that what is refused takes no slot.
void append_half_open(Batch& batch, const HostPolicy& policy) {
    if (policy.half_open_connections == 0) return;
    Rule rule;
    rule.meta(NFT_META_IIFGROUP).equals_u32(interface_group(policy.tag));
    batch.append("postrouting", std::move(protocol(rule, IPPROTO_TCP).jump(kHalfOpen)));
}

// What answers first, with yes or no, gives the slot back. Behind it a connection is "assured".
void append_answered(Batch& batch, const HostPolicy& policy, const std::string& chain) {
    if (policy.half_open_connections == 0) return;
    Rule rule;
    rule.meta(NFT_META_OIFGROUP).equals_u32(interface_group(policy.tag));
    rule.conntrack_lacks(NFT_CT_STATUS, IPS_ASSURED);
    batch.append(chain, std::move(protocol(rule, IPPROTO_TCP).jump(kAnswered)));
}

void append_packet_ceilings(Batch& batch, const HostPolicy& policy, const std::string& chain) {
    if (policy.udp_packets == 0 && policy.icmp_packets == 0) return;
    Rule rule;
    rule.meta(NFT_META_L4PROTO).differs(std::array{std::uint8_t{IPPROTO_TCP}}).jump(kFloods);
    batch.append(chain, std::move(rule));
}

}  // namespace garden::net
