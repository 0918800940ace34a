#include "rep/plan/convert.hpp"

#include "base/fail.hpp"
#include "rep/plan/identity.hpp"
#include "rep/plan/layers.hpp"

#include <algorithm>

namespace rep::plan {

namespace {

using base::Errc;
using base::fail;
using brain::api::Definition;
using executor::api::RunInfo;
using executor::api::RunRequest;
using executor::api::Tags;

constexpr std::uint32_t kMaxCpuWeight = 100;  // the executor's; the brain knows no bound

base::Result<std::string> rootfs(const std::string& url, const Cell& cell) {
    const auto parsed = parse_rootfs(url);
    if (!parsed || (parsed->scheme != kPreloaded && parsed->scheme != kPreloadedLayer)) return url;
    const auto stack = cell.stacks.find(parsed->opaque);
    if (stack == cell.stacks.end())
        return fail(Errc::invalid, "preloaded rootfs path not found: {}", parsed->opaque);
    if (stack->second.empty()) return url;
    if (parsed->scheme == kPreloaded) return stack->second;
    return base::format("{}:{}?{}", kPreloadedLayer, stack->second, parsed->query);
}

base::Result<executor::api::VolumeMount> volume(const brain::api::VolumeMount& given) {
    executor::api::VolumeMount out;
    out.driver = given.driver;
    out.container_path = given.container_dir;
    if (given.mode != "r" && given.mode != "rw")
        return fail(
                Errc::invalid, "volume_mounts: mode '{}' is neither r nor rw",
                given.mode.substr(0, 64));
    out.mode = given.mode == "rw" ? 1 : 0;
    if (!given.shared) return fail(Errc::invalid, "volume_mounts: only shared devices");
    out.volume_id = given.shared->volume_id;
    if (given.shared->mount_config.empty()) return out;
    const auto document =
            TRY(base::json::Document::parse(given.shared->mount_config).context("mount_config"));
    const auto members = TRY(document.root().members());
    for (const auto& [name, value] : members) out.config[name] = value.dump();
    return out;
}

// Dynamic ones only where there is an instance.
Tags resolve(
        const std::map<std::string, brain::api::MetricTagValue>& given,
        const std::optional<std::int32_t>& index,
        const std::string& instance_guid) {
    Tags out;
    for (const auto& [name, value] : given) {
        switch (value.dynamic) {
            case brain::api::DynamicTag::none:
                out[name] = value.fixed;
                break;
            case brain::api::DynamicTag::index:
                if (index) out[name] = std::to_string(*index);
                break;
            case brain::api::DynamicTag::instance_guid:
                if (index) out[name] = instance_guid;
                break;
        }
    }
    return out;
}

base::Result<RunInfo> common(const Definition& d, const Layers& layers, const Cell& cell) {
    RunInfo out;
    out.rootfs = TRY(rootfs(layers.rootfs, cell));
    // 0 would ask for no CPU at all (executor-rep §16).
    out.cpu_weight = std::clamp<std::uint32_t>(d.cpu_weight, 1, kMaxCpuWeight);
    out.privileged = d.privileged;
    out.cached_dependencies = layers.dependencies;
    for (const auto& dependency : d.cached_dependencies)
        out.cached_dependencies.push_back(dependency);
    out.run = d.action;
    out.egress_rules = d.egress_rules;
    out.trusted_system_certificates_path = d.trusted_system_certificates_path;
    for (const auto& mount : d.volume_mounts) out.volume_mounts.push_back(TRY(volume(mount)));
    out.network = d.network;
    out.certificate_properties = d.certificate_properties;
    out.image_username = d.image_username;
    out.image_password = d.image_password;
    out.log_rate_limit_bytes_per_second =
            d.log_rate_limit ? d.log_rate_limit->bytes_per_second : -1;
    out.volume_mounted_files = d.volume_mounted_files;
    return out;
}

void set_streams(RunInfo& out, const Definition& d, std::int64_t index, const Tags& tags) {
    out.log_config = {
            .guid = d.log_guid, .index = index, .source_name = d.log_source, .tags = tags};
    out.metrics_config = {.guid = d.metrics_guid, .index = index, .tags = tags};
    // bbs-api §4: the guid and the tag complete each other.
    if (out.metrics_config.guid.empty())
        if (const auto source = tags.find("source_id"); source != tags.end())
            out.metrics_config.guid = source->second;
}

base::Result<std::vector<brain::api::InternalRoute>> internal_routes(
        const brain::api::DesiredLrp& desired) {
    const auto found = desired.routes.find("internal-routes");
    if (found == desired.routes.end()) return std::vector<brain::api::InternalRoute>();
    return base::json::decode<std::vector<brain::api::InternalRoute>>(found->second)
            .context("routes.internal-routes");
}

}  // namespace

base::Result<RunRequest> run_request(
        const brain::api::DesiredLrp& desired,
        const brain::api::LrpKey& key,
        const std::string& instance_guid,
        const Cell& cell) {
    const auto& d = desired.definition;
    auto layers = split_layers(d, cell.two_layers);
    RunRequest out{.guid = instance_guid, .info = TRY(common(d, layers, cell)), .tags = {}};
    auto& info = out.info;
    for (const auto port : desired.ports) info.ports.push_back({.container_port = port});
    info.enable_container_proxy = cell.proxy_memory_mb > 0 && !desired.ports.empty();
    info.setup = downloads_then(std::move(layers.downloads), desired.setup);
    info.monitor = desired.monitor;
    info.check_definition = desired.check_definition;
    info.start_timeout_ms =
            static_cast<std::uint64_t>(std::max<std::int64_t>(desired.start_timeout_ms, 0));
    for (const auto& sidecar : desired.sidecars)
        info.sidecars.push_back(
                {.run = sidecar.action.value_or(brain::api::Action{}),
                 .disk_mb = sidecar.disk_mb,
                 .memory_mb = sidecar.memory_mb});
    info.internal_routes = TRY(internal_routes(desired));
    // First, so that a desired LRP may override them (§5.3).
    const auto index = std::to_string(key.index);
    info.env = {
            {.name = "INSTANCE_GUID", .value = instance_guid},
            {.name = "INSTANCE_INDEX", .value = index},
            {.name = "CF_INSTANCE_GUID", .value = instance_guid},
            {.name = "CF_INSTANCE_INDEX", .value = index}};
    info.env.insert(info.env.end(), d.env.begin(), d.env.end());
    set_streams(info, d, key.index, resolve(d.metric_tags, key.index, instance_guid));
    return out;
}

base::Result<RunRequest> run_request(const brain::api::Task& task, const Cell& cell) {
    const auto& d = task.task_definition.definition;
    auto layers = split_layers(d, cell.two_layers);
    RunRequest out{.guid = task.task_guid, .info = TRY(common(d, layers, cell)), .tags = {}};
    out.info.setup = downloads_then(std::move(layers.downloads), std::nullopt);
    out.info.env = d.env;
    set_streams(out.info, d, 0, resolve(d.metric_tags, std::nullopt, {}));
    out.tags[std::string(kResultFileTag)] = task.task_definition.result_file;
    return out;
}

brain::api::NetInfo net_info(const executor::api::Container& container) {
    using brain::api::PreferredAddress;
    return {.address = container.external_ip,
            .ports = container.info.ports,
            .instance_address = container.internal_ip,
            .preferred_address = container.advertise_preference_for_instance_address
                                         ? PreferredAddress::instance
                                         : PreferredAddress::host,
            .instance_ipv6_address = container.internal_ip_v6};
}

brain::api::RunningLrp running_lrp(
        const executor::api::Container& container,
        const brain::api::LrpKey& key,
        const Cell& cell) {
    return {.key = key,
            .instance = {.instance_guid = container.guid, .cell_id = cell.id},
            .net_info = net_info(container),
            .internal_routes = container.info.internal_routes,
            .metric_tags = container.info.metrics_config.tags,
            .routable = container.routable,
            .availability_zone = cell.zone};
}

}  // namespace rep::plan
