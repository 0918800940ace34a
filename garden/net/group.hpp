// A security group as the kernel is to have it: allowances are elements of sets, not rules, because
// the kernel answers every changed rule with a walk of all rules of the table, and a changed
// element with nothing (docs/adr/0014). Pure. Used by group_table, flows and network_evidence.
#pragma once

#include "garden/net/address.hpp"
#include "garden/net/out_rules.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace garden::net {

// What an element says: ranges of addresses, protocols and ports, both ends inside. ICMP has its
// type and code where others have the port, as connection tracking keeps them.
struct Box {
    Range network;
    std::uint8_t first_protocol = 0, last_protocol = 255;
    PortRange ports{.first = 0, .last = 65'535};

    bool v6() const { return network.first.is_v6(); }

    friend bool operator==(const Box& a, const Box& b) {
        return a.network.first == b.network.first && a.network.last == b.network.last &&
               a.first_protocol == b.first_protocol && a.last_protocol == b.last_protocol &&
               a.ports.first == b.ports.first && a.ports.last == b.ports.last;
    }
};

// One network and one port range of a rule.
struct Allowance {
    std::optional<Range> network;  // none: every one, of both families
    OutProtocol protocol = OutProtocol::all;
    std::optional<PortRange> ports;
    std::optional<IcmpMatch> icmp;
    bool log = false;

    std::vector<Box> boxes;  // of the families that the container has
    // Elements of one set must not overlap, so what does is in another one. Sets with a higher
    // number are asked first. 0: no element says it, or there are too many; a rule in front of all.
    unsigned layer = 1;
    bool repeated = false;  // an older one says the same: nothing more for the kernel
};

struct Group {
    std::vector<Allowance> allowances;  // oldest first: the last one is tried first
    unsigned layers = 1;                // how many sets a family has
    std::vector<bool> logs = {false};   // whether the layer has some that are logged
};

// So many of the oldest may become elements, because each is compared with all before it and the
// kernel takes longer for each that a set has; the rest become rules.
inline constexpr std::size_t kMaxAsElements = 1024;
inline constexpr unsigned kMaxLayers = 8;

// Rules that come behind others change nothing of what those have become, so that their counters go
// on. `v6`: whether the container has IPv6.
Group compile(std::span<const OutRule> rules, bool v6);

// Nothing that `before` allows is refused by `after`; may say no although it is so.
bool covers(const Group& after, const Group& before);

// As people read it; nothing of it is text of a client (NET-17).
std::string text_of(const Allowance& allowance);

}  // namespace garden::net
