// NetIn and bandwidth: what of a container's network changes beside its rules. Used by create.cpp,
// query.cpp and plugins.cpp.
#pragma once

#include "base/result.hpp"
#include "garden/engine/engine.hpp"
#include "garden/engine/record.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace garden {

// Errors name the field, the value and the limit; before anything is made.
base::Result<void> check_ports(const ContainerSpec& spec);
base::Result<void> check_port(std::uint32_t host, std::uint32_t container);

// The property of garden-api 10.2, and its text.
inline constexpr std::string_view kMappedPorts = "garden.network.mapped-ports";
std::string text_of(std::span<const MappedPort> ports);
std::vector<MappedPort> ports_of(const net::Lease& lease);
// The property as the lease has them.
void describe_ports(ContainerRecord& record);

}  // namespace garden
