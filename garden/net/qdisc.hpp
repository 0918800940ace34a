// Token buckets of interfaces (NET-14). One function per message; no policy. Used by flows.cpp.
#pragma once

#include "garden/net/netlink.hpp"
#include "garden/net/shaping.hpp"

namespace garden::net {

// What the interface sends is held to the rate; replaces what it had. A rate of 0 takes it away
// (ENOENT and EINVAL when there is none).
void put_token_bucket(Messages& messages, int index, const Shaping& shaping);

}  // namespace garden::net
