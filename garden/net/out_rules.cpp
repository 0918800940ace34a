#include "garden/net/out_rules.hpp"

#include "base/fail.hpp"
#include "garden/net/evidence_table.hpp"
#include "garden/net/names.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace garden::net {

namespace {

constexpr std::uint32_t kNew = 1U << 3;  // NF_CT_STATE_BIT(IP_CT_NEW)

std::span<const std::uint8_t> bytes_of(const Address& address) {
    return {address.bytes.data(), address.length};
}

std::array<std::uint8_t, 2> port_bytes(std::uint16_t port) {
    return {static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)};
}

void match_family(Rule& rule, bool v6) {
    const std::uint8_t family = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    rule.meta(NFT_META_NFPROTO).equals(std::array{family});
}

void match_protocol(Rule& rule, OutProtocol protocol) {
    if (protocol == OutProtocol::all) return;
    constexpr std::array<std::uint8_t, 5> kNumbers{
            0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};  // in the enum's order
    rule.meta(NFT_META_L4PROTO).equals(std::array{kNumbers.at(static_cast<std::size_t>(protocol))});
}

void match_network(Rule& rule, const Range& network) {
    const bool v6 = network.first.is_v6();
    match_family(rule, v6);
    rule.payload(Layer::network, v6 ? 24 : 16, network.first.length);
    if (network.first == network.last) {
        rule.equals(bytes_of(network.first));
    } else {
        rule.within(bytes_of(network.first), bytes_of(network.last));
    }
}

void match_ports(Rule& rule, const PortRange& ports) {
    rule.payload(Layer::transport, 2, 2);
    if (ports.first == ports.last) {
        rule.equals_u16(ports.first);
    } else {
        rule.within(port_bytes(ports.first), port_bytes(ports.last));
    }
}

void match_icmp(Rule& rule, const IcmpMatch& icmp) {
    if (icmp.type) rule.payload(Layer::transport, 0, 1).equals(std::array{*icmp.type});
    if (icmp.code) rule.payload(Layer::transport, 1, 1).equals(std::array{*icmp.code});
}

// As people read it; nothing of it is text of a client (NET-17).
std::string text_of(const OutRule& from, const Range* network, const PortRange* ports) {
    constexpr std::array<std::string_view, 5> kWords{"all", "tcp", "udp", "icmp", "icmpv6"};
    std::string text(kWords.at(static_cast<std::size_t>(from.protocol)));
    if (from.icmp && from.icmp->type) text += base::format(" type {}", *from.icmp->type);
    if (from.icmp && from.icmp->code) text += base::format(" code {}", *from.icmp->code);
    text += " to ";
    text += network != nullptr ? to_string(network->first) : std::string("anywhere");
    if (network != nullptr && network->first != network->last)
        text += "-" + to_string(network->last);
    if (ports != nullptr) text += base::format(" port {}", ports->first);
    if (ports != nullptr && ports->first != ports->last) text += base::format("-{}", ports->last);
    if (from.log) text += " log";
    return text;
}

// One kernel rule; the log is a rule of its own in front, because only new connections are logged.
void put(
        Batch& batch,
        std::string_view id,
        std::uint16_t group,
        const OutRule& from,
        const Range* network,
        const PortRange* ports) {
    const auto matched = [&] {
        Rule rule;
        if (network != nullptr) match_network(rule, *network);
        match_protocol(rule, from.protocol);
        if (ports != nullptr) match_ports(rule, *ports);
        if (from.icmp) match_icmp(rule, *from.icmp);
        return rule;
    };
    const std::string chain = egress_chain(id);
    // Each goes in front, so the one that is to be tried first comes last.
    batch.prepend(
            chain, std::move(matched().counter().accept().comment(text_of(from, network, ports))));
    if (!from.log) return;
    // Within the container's budget, which is kept by address: a rule for both families needs both.
    for (const bool v6 : {true, false}) {
        if (network != nullptr && network->first.is_v6() != v6) continue;
        Rule log = matched();
        if (network == nullptr) match_family(log, v6);
        log.conntrack_has(NFT_CT_STATE, kNew)
                .payload(Layer::network, v6 ? 8 : 12, v6 ? 16 : 4)
                .in_set(allowed_log_set(v6))
                .log(group, std::string(id) + " allowed ");
        batch.prepend(chain, std::move(log));
    }
}

bool is_protocol(OutProtocol protocol, std::uint8_t number) {
    switch (protocol) {
        case OutProtocol::all:
            return true;
        case OutProtocol::tcp:
            return number == IPPROTO_TCP;
        case OutProtocol::udp:
            return number == IPPROTO_UDP;
        case OutProtocol::icmp:
            return number == IPPROTO_ICMP;
        case OutProtocol::icmpv6:
            return number == IPPROTO_ICMPV6;
    }
    return false;
}

}  // namespace

bool allows(const OutRule& rule, const Call& call) {
    if (!is_protocol(rule.protocol, call.protocol)) return false;
    const auto in_network = [&](const Range& range) {
        return range.first.length == call.address.length && range.first <= call.address &&
               call.address <= range.last;
    };
    const auto in_ports = [&](const PortRange& range) {
        return range.first <= call.port && call.port <= range.last;
    };
    if (!rule.networks.empty() &&
        std::none_of(rule.networks.begin(), rule.networks.end(), in_network))
        return false;
    if (!rule.ports.empty() && std::none_of(rule.ports.begin(), rule.ports.end(), in_ports))
        return false;
    if (!rule.icmp) return true;
    return rule.icmp->type.value_or(call.icmp_type) == call.icmp_type &&
           rule.icmp->code.value_or(call.icmp_code) == call.icmp_code;
}

std::size_t compiled_size(const OutRule& rule) {
    const std::size_t kernel_rules = std::max<std::size_t>(1, rule.networks.size()) *
                                     std::max<std::size_t>(1, rule.ports.size());
    const std::size_t with_log = rule.networks.empty() ? 3 : 2;  // one log rule per family
    return rule.log ? with_log * kernel_rules : kernel_rules;
}

void put_out_rules(
        Batch& batch, std::string_view id, std::uint16_t group, std::span<const OutRule> rules) {
    for (const OutRule& rule : rules) {
        const std::size_t networks = std::max<std::size_t>(1, rule.networks.size());
        const std::size_t ports = std::max<std::size_t>(1, rule.ports.size());
        for (std::size_t i = 0; i < networks; ++i) {
            for (std::size_t j = 0; j < ports; ++j) {
                put(batch, id, group, rule, rule.networks.empty() ? nullptr : &rule.networks[i],
                    rule.ports.empty() ? nullptr : &rule.ports[j]);
            }
        }
    }
}

}  // namespace garden::net
