#include "executor/steps/environment.hpp"

#include "base/json_writer.hpp"

#include <algorithm>

namespace executor {

namespace {

std::string ports_json(const std::vector<api::PortMapping>& ports) {
    base::json::Writer w;
    w.begin_array();
    const auto member = [&](std::string_view name, std::uint16_t port) {
        if (port != 0) w.member(name, port);
    };
    for (const auto& port : ports) {
        w.begin_object();
        member("external", port.host_port);
        w.member("internal", port.container_port);
        member("external_tls_proxy", port.host_tls_proxy_port);
        member("internal_tls_proxy", port.container_tls_proxy_port);
        w.end_object();
    }
    w.end_array();
    return w.take();
}

}  // namespace

std::vector<api::EnvironmentVariable> network_variables(const ContainerFacts& facts) {
    std::vector<api::EnvironmentVariable> out{
            {"CF_INSTANCE_IP", facts.external_ip},
            {"CF_INSTANCE_INTERNAL_IP", facts.internal_ip},
    };
    if (!facts.internal_ip_v6.empty())
        out.push_back({"CF_INSTANCE_INTERNAL_IPV6", facts.internal_ip_v6});
    if (facts.ports.empty()) {
        out.push_back({"CF_INSTANCE_PORT", ""});
        out.push_back({"CF_INSTANCE_ADDR", ""});
    } else if (const auto port = facts.ports.front().host_port; port != 0) {
        out.push_back({"CF_INSTANCE_PORT", std::to_string(port)});
        out.push_back({"CF_INSTANCE_ADDR", facts.external_ip + ":" + std::to_string(port)});
    }
    out.push_back({"CF_INSTANCE_PORTS", ports_json(facts.ports)});
    return out;
}

std::vector<std::string> process_environment(
        const ContainerFacts& facts, const std::vector<api::EnvironmentVariable>& action) {
    std::vector<std::string> out;
    const auto add = [&](const std::vector<api::EnvironmentVariable>& variables) {
        for (const auto& variable : variables) {
            const auto prefix = variable.name + "=";
            const auto same = std::find_if(out.begin(), out.end(), [&](const std::string& line) {
                return line.starts_with(prefix);
            });
            if (same == out.end())
                out.push_back(prefix + variable.value);
            else
                *same = prefix + variable.value;
        }
    };
    add(facts.env);
    add(action);
    add(network_variables(facts));
    return out;
}

std::string process_id(std::string_view path) {
    std::string id(path);
    std::replace(id.begin(), id.end(), '/', '-');
    return id;
}

}  // namespace executor
