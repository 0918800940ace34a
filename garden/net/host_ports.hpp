// Whether the host itself uses a port: mapping it would take a service of the host away (NET-10).
// Used by network_rules.cpp.
#pragma once

#include "garden/net/address.hpp"

#include <cstdint>
#include <optional>

namespace garden::net {

// A socket of the host has the port at one of the addresses, by TCP or UDP, gardend's own included.
// Asked in the network namespace of the calling thread.
bool host_listens(
        const std::optional<Address>& external4,
        const std::optional<Address>& external6,
        std::uint16_t port);

}  // namespace garden::net
