#include "garden/engine/record.hpp"

#include "base/fail.hpp"

#include <nlohmann/json.hpp>

namespace garden {

namespace {

using nlohmann::json;

constexpr int kFormat = 1;  // raised when an older gardend could misread a newer record

json to_value(const net::Lease& lease) {
    auto ports = json::array();
    for (const auto& port : lease.ports) ports.push_back({port.host_port, port.container_port});
    return {{"id", lease.id},
            {"subnet", lease.subnet},
            {"host_ip", lease.host_ip},
            {"container_ip", lease.container_ip},
            {"prefix", lease.prefix},
            {"host_ip6", lease.host_ip6},
            {"container_ip6", lease.container_ip6},
            {"prefix6", lease.prefix6},
            {"host_interface", lease.host_interface},
            {"container_interface", lease.container_interface},
            {"bridge", lease.bridge},
            {"external_ip", lease.external_ip},
            {"mtu", lease.mtu},
            {"ports", std::move(ports)},
            {"rate", lease.shaping.rate},
            {"burst", lease.shaping.burst}};
}

net::Lease lease_of(const json& value) {
    net::Lease lease;
    value.at("id").get_to(lease.id);
    value.at("subnet").get_to(lease.subnet);
    value.at("host_ip").get_to(lease.host_ip);
    value.at("container_ip").get_to(lease.container_ip);
    value.at("prefix").get_to(lease.prefix);
    value.at("host_ip6").get_to(lease.host_ip6);
    value.at("container_ip6").get_to(lease.container_ip6);
    value.at("prefix6").get_to(lease.prefix6);
    value.at("host_interface").get_to(lease.host_interface);
    value.at("container_interface").get_to(lease.container_interface);
    value.at("bridge").get_to(lease.bridge);
    value.at("external_ip").get_to(lease.external_ip);
    value.at("mtu").get_to(lease.mtu);
    const auto ports = value.value("ports", json::array());
    for (const auto& port : ports)
        lease.ports.push_back({.host_port = port.at(0), .container_port = port.at(1)});
    lease.shaping.rate = value.value("rate", std::uint64_t{0});
    lease.shaping.burst = value.value("burst", std::uint32_t{0});
    return lease;
}

json to_value(const OutRuleSpec& rule) {
    json value{{"protocol", rule.protocol}, {"log", rule.log}};
    for (const auto& span : rule.networks) value["networks"].push_back({span.first, span.last});
    for (const auto& ports : rule.ports) value["ports"].push_back({ports.first, ports.last});
    if (rule.icmp) {
        const auto number = [](const auto& part) { return part ? json(*part) : json(); };
        value["icmp"] = {number(rule.icmp->type), number(rule.icmp->code)};
    }
    return value;
}

OutRuleSpec out_rule_of(const json& value) {
    OutRuleSpec rule;
    value.at("protocol").get_to(rule.protocol);
    value.at("log").get_to(rule.log);
    for (const auto& span : value.value("networks", json::array()))
        rule.networks.push_back({.first = span.at(0), .last = span.at(1)});
    for (const auto& ports : value.value("ports", json::array()))
        rule.ports.push_back({.first = ports.at(0), .last = ports.at(1)});
    if (value.contains("icmp")) {
        const auto number = [](const json& part) {
            return part.is_null() ? std::nullopt : std::optional(part.get<std::uint8_t>());
        };
        rule.icmp = OutRuleSpec::Icmp{
                .type = number(value.at("icmp").at(0)), .code = number(value.at("icmp").at(1))};
    }
    return rule;
}

json to_value(const ContainerSpec& spec) {
    auto binds = json::array();
    for (const auto& bind : spec.bind_mounts) {
        binds.push_back(
                {{"source", bind.source},
                 {"destination", bind.destination},
                 {"writable", bind.writable}});
    }
    auto rules = json::array();
    for (const auto& rule : spec.out_rules) rules.push_back(to_value(rule));
    const auto& limits = spec.limits;
    return {{"out_rules", std::move(rules)},
            {"grace_time", spec.grace_time.count()},
            {"image", spec.image.uri},
            {"bind_mounts", std::move(binds)},
            {"network", spec.network},
            {"env", spec.env},
            {"class", static_cast<int>(spec.container_class)},
            {"no_new_privileges", spec.no_new_privileges},
            {"seccomp_profile", spec.seccomp_profile},
            {"limits",
             {{"memory_bytes", limits.memory_bytes},
              {"cpu_weight", limits.cpu_weight},
              {"cpu_shares", limits.cpu_shares},
              {"disk_bytes", limits.disk_bytes},
              {"disk_scope", static_cast<int>(limits.disk_scope)},
              {"pids", limits.pids},
              {"bandwidth_rate", limits.bandwidth_rate},
              {"bandwidth_burst", limits.bandwidth_burst}}}};
}

ContainerSpec spec_of(const json& value) {
    ContainerSpec spec;
    const auto rules = value.value("out_rules", json::array());
    for (const auto& rule : rules) spec.out_rules.push_back(out_rule_of(rule));
    spec.grace_time = std::chrono::nanoseconds(value.at("grace_time").get<std::int64_t>());
    value.at("image").get_to(spec.image.uri);
    for (const auto& bind : value.at("bind_mounts")) {
        spec.bind_mounts.push_back(
                {.source = bind.at("source"),
                 .destination = bind.at("destination"),
                 .writable = bind.at("writable"),
                 .origin_container = false});
    }
    value.at("network").get_to(spec.network);
    value.at("env").get_to(spec.env);
    spec.container_class = static_cast<ContainerClass>(value.at("class").get<int>());
    value.at("no_new_privileges").get_to(spec.no_new_privileges);
    value.at("seccomp_profile").get_to(spec.seccomp_profile);
    const auto& limits = value.at("limits");
    limits.at("memory_bytes").get_to(spec.limits.memory_bytes);
    limits.at("cpu_weight").get_to(spec.limits.cpu_weight);
    limits.at("cpu_shares").get_to(spec.limits.cpu_shares);
    limits.at("disk_bytes").get_to(spec.limits.disk_bytes);
    spec.limits.disk_scope = static_cast<DiskScope>(limits.at("disk_scope").get<int>());
    limits.at("pids").get_to(spec.limits.pids);
    limits.at("bandwidth_rate").get_to(spec.limits.bandwidth_rate);
    limits.at("bandwidth_burst").get_to(spec.limits.bandwidth_burst);
    return spec;
}

ContainerRecord record_of(const json& value) {
    ContainerRecord record;
    record.handle = Handle(value.at("handle").get<std::string>());
    record.stage = static_cast<Stage>(value.at("stage").get<int>());
    value.at("stopped").get_to(record.stopped);
    value.at("dead").get_to(record.dead);
    record.spec = spec_of(value.at("spec"));
    record.spec.handle = record.handle;
    value.at("range_owner").get_to(record.range_owner);
    value.at("range_base").get_to(record.range.base);
    value.at("range_length").get_to(record.range.length);
    record.image_plugin = value.value("image_plugin", false);
    record.network_plugin = value.value("network_plugin", false);
    if (value.contains("lease")) record.lease = lease_of(value.at("lease"));
    value.at("image_reference").get_to(record.image_reference);
    value.at("image_digest").get_to(record.image_digest);
    value.at("image_env").get_to(record.image_env);
    value.at("created_at").get_to(record.created_at);
    value.at("properties").get_to(record.properties);
    value.at("events").get_to(record.events);
    value.at("oom_kills").get_to(record.oom_kills);
    if (value.contains("pea_oom_kills")) value.at("pea_oom_kills").get_to(record.pea_oom_kills);
    return record;
}

// The library throws on a wrong shape; that ends here.
template <class F>
auto parsed(std::string_view text, const char* what, F&& convert)
        -> base::Result<decltype(convert(json()))> {
    try {
        return convert(json::parse(text));
    } catch (const json::exception& e) {
        return base::fail(base::Errc::corrupt, "{}: {}", what, e.what());
    }
}

std::string text_of(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const ContainerRecord& record) {
    json value{
            {"format", kFormat},
            {"handle", record.handle.get()},
            {"stage", static_cast<int>(record.stage)},
            {"stopped", record.stopped},
            {"dead", record.dead},
            {"spec", to_value(record.spec)},
            {"range_owner", record.range_owner},
            {"range_base", record.range.base},
            {"range_length", record.range.length},
            {"image_plugin", record.image_plugin},
            {"network_plugin", record.network_plugin},
            {"image_reference", record.image_reference},
            {"image_digest", record.image_digest},
            {"image_env", record.image_env},
            {"created_at", record.created_at},
            {"properties", record.properties},
            {"events", record.events},
            {"oom_kills", record.oom_kills}};
    if (record.lease) value["lease"] = to_value(*record.lease);
    if (!record.pea_oom_kills.empty()) value["pea_oom_kills"] = record.pea_oom_kills;
    return text_of(value);
}

base::Result<ContainerRecord> parse_record(std::string_view text) {
    return parsed(text, "container record", [](const json& value) { return record_of(value); });
}

std::string to_json(const ProcessRecord& record) {
    json value{
            {"id", record.id},
            {"user", record.user},
            {"argv", record.argv},
            {"terminal", record.terminal}};
    if (record.pea) {
        value["pea"] = {
                {"name", record.pea->name},
                {"beside", record.pea->beside},
                {"cpu_shares", record.pea->cpu_shares},
                {"created_at", record.pea->created_at}};
    }
    return text_of(value);
}

base::Result<ProcessRecord> parse_process_record(std::string_view text) {
    return parsed(text, "process record", [](const json& value) {
        ProcessRecord record{
                .id = value.at("id"),
                .user = value.at("user"),
                .argv = value.at("argv"),
                .terminal = value.at("terminal"),
                .pea = {}};
        if (value.contains("pea")) {
            const auto& pea = value.at("pea");
            record.pea = PeaRecord{
                    .name = pea.at("name"),
                    .beside = pea.at("beside"),
                    .cpu_shares = pea.at("cpu_shares"),
                    .created_at = pea.at("created_at")};
        }
        return record;
    });
}

}  // namespace garden
