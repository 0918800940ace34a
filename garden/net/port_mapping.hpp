// NetIn as a value: a port of the external address that leads to a port of a container. Used by
// garden/net and garden/engine; kept in the depot.
#pragma once

#include <cstddef>
#include <cstdint>

namespace garden::net {

struct PortMapping {
    std::uint16_t host_port = 0;
    std::uint16_t container_port = 0;

    friend bool operator==(const PortMapping&, const PortMapping&) = default;
};

// Of one container. Every one is two elements of a map in the kernel.
inline constexpr std::size_t kMaxPortMappings = 1024;

}  // namespace garden::net
