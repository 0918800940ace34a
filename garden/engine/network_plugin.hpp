// A Garden network plugin (garden-behaviours C.7): a program of the operator's that connects
// containers instead of the built-in network. Used by garden/engine when one is configured.
#pragma once

#include "base/result.hpp"
#include "garden/plan/container_spec.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace garden {

struct NetworkPluginConfig {
    std::string program;                 // absolute path; "" = the built-in network
    std::vector<std::string> arguments;  // before ours
    std::chrono::milliseconds deadline{120'000};
};

// Every call runs the program once, with JSON in and out, and blocks. It runs as gardend does, with
// PATH and nothing else in its environment. Errors name the action and carry the end of what it
// complained.
class NetworkPlugin {
  public:
    explicit NetworkPlugin(NetworkPluginConfig config) : config_(std::move(config)) {}

    struct Connected {
        std::map<std::string, std::string> properties;  // to be kept on the container
        std::vector<std::string> dns_servers;
        std::vector<std::string> search_domains;
    };

    struct Ports {
        std::uint32_t host = 0;
        std::uint32_t container = 0;
    };

    // `pid`: a process in the container's network namespace. Of the spec's properties the plugin
    // sees "network.*", without the prefix, and "log_config".
    base::Result<Connected> up(const ContainerSpec& spec, std::int32_t pid) const;
    base::Result<void> down(const Handle& handle) const;  // idempotent, as the plugin must be
    base::Result<Ports> net_in(
            const Handle& handle,
            const std::string& host_ip,
            const std::string& container_ip,
            Ports ports) const;
    // One rule or all of a bulk call.
    base::Result<void> net_out(
            const Handle& handle,
            const std::string& container_ip,
            std::span<const OutRuleSpec> rules,
            bool bulk) const;

  private:
    base::Result<std::string> call(
            const char* action, const Handle& handle, std::string input) const;

    NetworkPluginConfig config_;
};

// What a plugin answers is a stranger's text: bounded, and wrong members are refused. Public for
// tests.
base::Result<NetworkPlugin::Connected> parse_connected(std::string_view text);
std::string to_plugin_json(const ContainerSpec& spec, std::int32_t pid);

}  // namespace garden
