// Security groups as values: what a container may reach although the default policy of the host
// would refuse it (NET-06). group.hpp has what they become. Used by garden/net and garden/engine.
#pragma once

#include "garden/net/address.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace garden::net {

enum class OutProtocol : std::uint8_t { all, tcp, udp, icmp, icmpv6 };  // numbers of garden-api 5.4

struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
};

struct IcmpMatch {
    std::optional<std::uint8_t> type;  // none: every type
    std::optional<std::uint8_t> code;
};

// One allowance. Empty lists allow every network, every port.
struct OutRule {
    OutProtocol protocol = OutProtocol::all;
    std::vector<Range> networks;
    std::vector<PortRange> ports;  // tcp and udp only
    std::optional<IcmpMatch> icmp;
    bool log = false;
};

// What a container calls: the destination of a flow's first packet, before any translation.
struct Call {
    Address address;
    std::uint8_t protocol = 0;  // IPPROTO_*
    std::uint16_t port = 0;     // of tcp and udp
    std::uint8_t icmp_type = 0, icmp_code = 0;
};

// As the kernel's rules decide it.
bool allows(const OutRule& rule, const Call& call);

// The last rule given is the first one tried (garden-api §6 NetOut). One allowance for the kernel
// per network and port range; what all of one container may come to.
inline constexpr std::size_t kMaxCompiledRules = 16'384;

std::size_t compiled_size(const OutRule& rule);

}  // namespace garden::net
