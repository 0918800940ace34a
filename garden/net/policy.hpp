// From the operator's settings to what the rules of the host say. Used by network.cpp.
#pragma once

#include "base/result.hpp"
#include "garden/net/network.hpp"
#include "garden/net/table.hpp"

namespace garden::net {

// Reads the host's resolv.conf. An error names the setting and the value.
base::Result<HostPolicy> make_policy(const Config& config);

}  // namespace garden::net
