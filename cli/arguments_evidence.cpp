// `cloche container denials` and what else asks for evidence.
#include "cli/arguments_registry.hpp"

namespace cli {

namespace {

void add_explain(CLI::App& container, Slots& slots) {
    auto& options = slots.explain;
    auto* explain = container.add_subcommand(
            "explain-eperm",
            "Say why something is refused in a container, and what would change it; without flags: "
            "what was refused lately");
    explain->add_option("HANDLE", options.handle, "Container")->required();
    explain->add_option(
            "PROCESS", options.process,
            "Process whose capabilities count; without it, those of the container's root");
    auto* call = explain->add_option("--call", options.call, "System call, like mount");
    auto* path = explain->add_option("--path", options.path, "Absolute path in the container");
    auto* device = explain->add_option("--device", options.device, "Device, like \"c 1:3\"");
    auto* connect = explain->add_option(
            "--connect", options.connect, "ADDRESS:PORT that cannot be reached");
    call->excludes(path)->excludes(device)->excludes(connect);
    path->excludes(device)->excludes(connect);
    device->excludes(connect);
    explain->add_option(
            "--access", options.access, "read or write; of a device also make. Any when left out");
    explain->add_option(
                   "--protocol", options.protocol,
                   "tcp when left out, udp, icmp or icmpv6; with the latter --connect has no port")
            ->needs(connect);
    explain->callback([&slots] { slots.out.command = slots.explain; });
}

}  // namespace

void add_container_evidence(CLI::App& container, Slots& slots) {
    auto* denials = container.add_subcommand(
            "denials", "List the system calls that the filter refused in a container");
    denials->add_option("HANDLE", slots.denials.handle, "Container")->required();
    denials->callback([&slots] { slots.out.command = slots.denials; });
    auto* connections = container.add_subcommand(
            "connections", "List the network rules of a container and what they refused");
    connections->add_option("HANDLE", slots.connections.handle, "Container")->required();
    connections->callback([&slots] { slots.out.command = slots.connections; });
    add_explain(container, slots);
}

}  // namespace cli
