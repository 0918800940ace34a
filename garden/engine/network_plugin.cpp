#include "garden/engine/network_plugin.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "base/program.hpp"
#include "garden/engine/out_rules.hpp"

#include <utility>

namespace garden {

namespace {

using base::json::Fields;
using base::json::Unknown;
using base::json::Writer;

constexpr std::string_view kNetworkPrefix = "network.";
constexpr std::size_t kMaxAnswer = std::size_t{1} << 20;

std::vector<api::NetOutRule> to_wire(std::span<const OutRuleSpec> rules) {
    std::vector<api::NetOutRule> wire;
    for (const auto& rule : rules) wire.push_back(garden::to_wire(rule));
    return wire;
}

std::vector<api::NetIn> to_wire(std::span<const InPortSpec> ports) {
    std::vector<api::NetIn> wire;
    for (const auto& port : ports)
        wire.push_back({.host_port = port.host, .container_port = port.container});
    return wire;
}

struct WirePorts {
    std::uint32_t host_port = 0;
    std::uint32_t container_port = 0;
};

base::Result<void> from_json(const base::json::Node& node, WirePorts& out) {
    Fields fields(node);
    fields.required("host_port", out.host_port).required("container_port", out.container_port);
    return fields.finish(Unknown::ignore);
}

}  // namespace

static base::Result<void> read_connected(
        const base::json::Node& node, NetworkPlugin::Connected& out) {
    Fields fields(node);
    fields.optional("properties", out.properties)
            .optional("dns_servers", out.dns_servers)
            .optional("search_domains", out.search_domains);
    return fields.finish(Unknown::ignore);
}

base::Result<NetworkPlugin::Connected> parse_connected(std::string_view text) {
    NetworkPlugin::Connected connected;
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return connected;
    const auto document = TRY(base::json::Document::parse(text, {.bytes = kMaxAnswer}));
    if (!document.root().is_null()) TRY(read_connected(document.root(), connected));
    return connected;
}

std::string to_plugin_json(const ContainerSpec& spec, std::int32_t pid) {
    std::map<std::string, std::string> properties;
    for (const auto& [name, value] : spec.properties) {
        if (name.starts_with(kNetworkPrefix)) {
            properties[name.substr(kNetworkPrefix.size())] = value;
        } else if (name == "log_config") {
            properties[name] = value;
        }
    }
    Writer writer;
    writer.begin_object().member("Pid", pid).member("Properties", properties);
    if (!spec.out_rules.empty()) writer.member("netout_rules", to_wire(spec.out_rules));
    if (!spec.in_ports.empty()) writer.member("netin", to_wire(spec.in_ports));
    writer.end_object();
    return writer.take();
}

base::Result<std::string> NetworkPlugin::call(
        const char* action, const Handle& handle, std::string input) const {
    base::ProgramCall call{
            .path = config_.program,
            .arguments = config_.arguments,
            .environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            .input = std::move(input),
            .output_limit = kMaxAnswer,
            .deadline = config_.deadline};
    for (const std::string& word :
         {std::string("--action"), std::string(action), std::string("--handle"), handle.get()})
        call.arguments.push_back(word);
    auto end = base::run_program(call);
    if (!end) {
        return std::move(end.error())
                .context(base::format(
                        "external networker encountered an error running '{}' action", action));
    }
    if (end->code != 0) {
        return base::fail(
                base::Errc::unavailable,
                "external networker encountered an error running '{}' action: exit status {}: {}",
                action, end->code, end->complaint);
    }
    return std::move(end->output);
}

base::Result<NetworkPlugin::Connected> NetworkPlugin::up(
        const ContainerSpec& spec, std::int32_t pid) const {
    const auto answer = TRY(call("up", spec.handle, to_plugin_json(spec, pid)));
    return parse_connected(answer).context("unmarshaling result from external networker");
}

base::Result<void> NetworkPlugin::down(const Handle& handle) const {
    TRY(call("down", handle, "null"));
    return base::ok;
}

base::Result<NetworkPlugin::Ports> NetworkPlugin::net_in(
        const Handle& handle,
        const std::string& host_ip,
        const std::string& container_ip,
        Ports ports) const {
    Writer writer;
    writer.begin_object()
            .member("HostIP", host_ip)
            .member("HostPort", ports.host)
            .member("ContainerIP", container_ip)
            .member("ContainerPort", ports.container)
            .end_object();
    const auto answer = TRY(call("net-in", handle, writer.take()));
    const auto given = TRY(base::json::decode<WirePorts>(answer).context(
            "unmarshaling result from external networker"));
    return Ports{.host = given.host_port, .container = given.container_port};
}

base::Result<void> NetworkPlugin::net_out(
        const Handle& handle,
        const std::string& container_ip,
        std::span<const OutRuleSpec> rules,
        bool bulk) const {
    Writer writer;
    const auto wire = to_wire(rules);
    writer.begin_object().member("container_ip", container_ip);
    if (bulk) {
        writer.member("netout_rules", wire);
    } else {
        writer.member("netout_rule", wire.front());
    }
    writer.end_object();
    TRY(call(bulk ? "bulk-net-out" : "net-out", handle, writer.take()));
    return base::ok;
}

}  // namespace garden
