#include "executor/core/spec.hpp"

#include "base/json_writer.hpp"

#include <algorithm>
#include <set>

namespace executor {

namespace {

garden::api::IpRange range_of(std::string_view text) {
    const auto dash = text.find('-');
    if (dash != std::string_view::npos)
        return {.start = std::string(text.substr(0, dash)),
                .end = std::string(text.substr(dash + 1))};
    // Garden takes a prefix as the start alone.
    return {.start = std::string(text), .end = {}};
}

std::vector<garden::api::IpRange> ranges_of(const std::vector<std::string>& destinations) {
    std::vector<garden::api::IpRange> out;
    for (const auto& joined : destinations)
        for (std::size_t at = 0; at <= joined.size();) {
            const auto comma = std::min(joined.find(',', at), joined.size());
            out.push_back(range_of(std::string_view(joined).substr(at, comma - at)));
            at = comma + 1;
        }
    return out;
}

std::uint32_t protocol_of(std::string_view word) {
    if (word == "tcp") return 1;
    if (word == "udp") return 2;
    if (word == "icmp") return 3;
    if (word == "icmpv6") return 4;
    return 0;
}

}  // namespace

std::vector<garden::api::NetOutRule> net_out_rules(const std::vector<api::EgressRule>& rules) {
    std::vector<garden::api::NetOutRule> out;
    for (const auto& rule : rules) {
        garden::api::NetOutRule made{
                .protocol = protocol_of(rule.protocol),
                .networks = ranges_of(rule.destinations),
                .ports = {},
                .icmps = {},
                .log = rule.log};
        for (const auto port : rule.ports) made.ports.push_back({.start = port, .end = port});
        if (rule.port_range)
            made.ports.push_back({.start = rule.port_range->start, .end = rule.port_range->end});
        // -1 is any: of the type no condition at all, of the code only that one left out.
        if (rule.icmp_info && rule.icmp_info->type >= 0) {
            made.icmps.emplace();
            made.icmps->type = static_cast<std::uint8_t>(rule.icmp_info->type);
            if (rule.icmp_info->code >= 0)
                made.icmps->code = static_cast<std::uint8_t>(rule.icmp_info->code);
        }
        out.push_back(std::move(made));
    }
    return out;
}

garden::api::ContainerSpec plan_container(
        const api::Container& container, const Settings& settings, const Mounts& mounts) {
    const auto& info = container.info;
    garden::api::ContainerSpec spec;
    spec.handle = container.guid;
    spec.image = {
            .uri = info.rootfs, .username = info.image_username, .password = info.image_password};
    spec.privileged = info.privileged;
    spec.bind_mounts = mounts.binds;
    spec.properties[std::string(kOwnerProperty)] = settings.owner;
    spec.properties["log_config"] = base::json::encode(info.log_config);
    for (const auto& [name, value] : info.network.properties)
        spec.properties["network." + name] = value;
    for (const auto* list : {&settings.environment, &mounts.environment, &info.env})
        for (const auto& variable : *list) spec.env.push_back(variable.name + "=" + variable.value);
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
    spec.limits.memory_limits.limit_in_bytes =
            static_cast<std::uint64_t>(container.memory_mb) * kMiB;
    spec.limits.pid_limits.max = static_cast<std::uint64_t>(container.max_pids);
    spec.limits.disk_limits.inode_hard = settings.inode_limit;
    if (container.disk_mb != 0) {
        // Diego adds the measured size of the root filesystem to a total; what is written alone is
        // the same without the measuring.
        spec.limits.disk_limits.byte_hard = static_cast<std::uint64_t>(container.disk_mb) * kMiB;
        spec.limits.disk_limits.scope = 1;
    }
    const std::uint64_t weight = info.cpu_weight == 0 ? 100 : info.cpu_weight;
    spec.limits.cpu_limits.limit_in_shares = settings.max_cpu_shares * weight / 100;
    if (settings.cpu_weight_from_memory)
        spec.limits.cpu_limits.weight = static_cast<std::uint64_t>(container.memory_mb);
    std::set<std::uint16_t> asked;
    for (const auto& port : info.ports)
        if (asked.insert(port.container_port).second)
            spec.netin.push_back(
                    {.host_port = port.host_port, .container_port = port.container_port});
    spec.netout_rules = net_out_rules(info.egress_rules);
    return spec;
}

}  // namespace executor
