// A lease with its texts parsed and checked, once for every call that is given one. Used by
// network.cpp only.
#pragma once

#include "base/result.hpp"
#include "garden/net/network.hpp"
#include "garden/net/pool.hpp"
#include "garden/net/table.hpp"

#include <optional>
#include <string>

namespace garden::net {

// A lease with its texts parsed: a lease comes back from the depot, so nothing in it is taken for
// granted.
struct ParsedLease {
    Placement placement;
    Binding binding;
    std::optional<Address> gateway6;
};

base::Result<ParsedLease> parse_lease(const Lease& lease, const std::string& tag);

}  // namespace garden::net
