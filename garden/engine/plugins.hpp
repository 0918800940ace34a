// What the engine keeps of a network that a plugin made. Used by garden/engine only.
#pragma once

#include "garden/engine/engine.hpp"

#include <map>
#include <optional>
#include <string>

namespace garden {

using Properties = std::map<std::string, std::string>;

// The addresses that the plugin told, as far as the files of /etc need them; none without a
// container address.
std::optional<net::Lease> lease_of_plugin(const Properties& properties);
// Those in its property garden.network.mapped-ports.
base::Result<std::vector<MappedPort>> ports_of_plugin(const Properties& properties);
void describe_plugin_network(const Properties& properties, ContainerInfo& info);
// What garden-behaviours C.6 makes of the plugin's answer; "" = as without a plugin.
std::string resolv_of_plugin(
        const NetworkPlugin::Connected& connected, std::string_view usual_text);

inline bool is_privileged(const ContainerSpec& spec) {
    return spec.container_class == ContainerClass::privileged;
}

}  // namespace garden
