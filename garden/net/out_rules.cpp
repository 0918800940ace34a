#include "garden/net/out_rules.hpp"

#include <netinet/in.h>

#include <algorithm>

namespace garden::net {

namespace {

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

}  // namespace garden::net
