// `cloche container denials` and what else asks for evidence.
#include "cli/arguments_registry.hpp"

namespace cli {

void add_container_evidence(CLI::App& container, Slots& slots) {
    auto* denials = container.add_subcommand(
            "denials", "List the system calls that the filter refused in a container");
    denials->add_option("HANDLE", slots.denials.handle, "Container")->required();
    denials->callback([&slots] { slots.out.command = slots.denials; });
    auto* connections = container.add_subcommand(
            "connections", "List the network rules of a container and what they refused");
    connections->add_option("HANDLE", slots.connections.handle, "Container")->required();
    connections->callback([&slots] { slots.out.command = slots.connections; });
}

}  // namespace cli
