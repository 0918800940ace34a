// The kernel's list of connections (ctnetlink): which flows an address has, and forgetting them, so
// that the next packet of each is judged anew. No policy. Used by flows.cpp.
#pragma once

#include "base/result.hpp"
#include "garden/net/address.hpp"
#include "garden/net/netlink.hpp"
#include "garden/net/out_rules.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <vector>

namespace garden::net {

struct Flow {
    Address source;                  // who opened or answers it, as asked for
    Call call;                       // what its opener called, before any translation
    std::vector<std::uint8_t> name;  // how the kernel finds it: its tuple as attributes
};

enum class Side : std::uint8_t { opened, answered };

// Flows that `address` has opened, or answers.
base::Result<std::vector<Flow>> list_flows(Netlink& netfilter, const Address& address, Side side);
// Of all these, which are of one family: one walk of the kernel's list, as for a single one.
base::Result<std::vector<Flow>> list_flows(
        Netlink& netfilter, const std::set<Address>& addresses, Side side);
// Of everybody.
base::Result<std::vector<Flow>> list_all_flows(Netlink& netfilter, bool v6, Side side);
// One that has ended meanwhile is no error.
base::Result<void> forget_flows(Netlink& netfilter, std::span<const Flow> flows, bool v6);

}  // namespace garden::net
