#include "brain/receptor/responses.hpp"

namespace brain::receptor {

using base::json::Writer;

namespace {

void write_optional(Writer& w, std::string_view name, const std::optional<api::Action>& action) {
    w.key(name);
    if (action) {
        write(w, *action);
    } else {
        w.null();
    }
}

// Those that tasks and desired LRPs have in common.
void write_definition(Writer& w, const api::Definition& o) {
    w.member("rootfs", o.rootfs);
    write_optional(w, "action", o.action);
    w.member_unless_zero("annotation", o.annotation);
    w.member("cpu_weight", o.cpu_weight).member("disk_mb", o.disk_mb);
    w.member("memory_mb", o.memory_mb).member("privileged", o.privileged);
    w.member("log_guid", o.log_guid).member("log_source", o.log_source);
    w.member("metrics_guid", o.metrics_guid).member_unless_zero("env", o.env);
    if (o.egress_rules.empty()) return;
    w.key("egress_rules").begin_array();
    for (const auto& rule : o.egress_rules) write(w, rule);
    w.end_array();
}

// Behind everything that 2015 knew. The image's password is never told.
void write_additions(Writer& w, const api::Definition& o) {
    w.member_unless_zero("max_pids", o.max_pids);
    w.member_unless_zero("cached_dependencies", o.cached_dependencies);
    w.member_unless_zero("legacy_download_user", o.legacy_download_user);
    w.member_unless_zero("trusted_system_certificates_path", o.trusted_system_certificates_path);
    w.member_unless_zero("volume_mounts", o.volume_mounts);
    if (!o.network.properties.empty()) w.member("network", o.network);
    w.member_unless_zero("placement_tags", o.placement_tags);
    if (!o.certificate_properties.organizational_unit.empty())
        w.member("certificate_properties", o.certificate_properties);
    w.member_unless_zero("image_username", o.image_username);
    w.member_unless_zero("image_layers", o.image_layers);
    w.member_unless_zero("log_rate_limit", o.log_rate_limit);
    w.member_unless_zero("metric_tags", o.metric_tags);
    w.member_unless_zero("volume_mounted_files", o.volume_mounted_files);
}

std::string_view state_of(api::TaskState state) {
    switch (state) {
        case api::TaskState::invalid:
            return "INVALID";
        case api::TaskState::pending:
            return "PENDING";
        case api::TaskState::running:
            return "RUNNING";
        case api::TaskState::completed:
            return "COMPLETED";
        case api::TaskState::resolving:
            return "RESOLVING";
    }
    return "INVALID";
}

void write_sidecars(Writer& w, const std::vector<api::Sidecar>& sidecars) {
    if (sidecars.empty()) return;
    w.key("sidecars").begin_array();
    for (const auto& one : sidecars) {
        w.begin_object();
        write_optional(w, "action", one.action);
        w.member("disk_mb", one.disk_mb).member("memory_mb", one.memory_mb).end_object();
    }
    w.end_array();
}

void write_routes(Writer& w, const std::map<std::string, std::string>& routes) {
    if (routes.empty()) return;
    w.key("routes").begin_object();
    for (const auto& [router, json] : routes) w.key(router).raw(json);
    w.end_object();
}

void write_ports(Writer& w, const std::vector<api::PortMapping>& ports) {
    w.key("ports");
    if (ports.empty()) {
        w.null();
        return;
    }
    w.begin_array();
    for (const auto& port : ports) {
        w.begin_object().member("container_port", port.container_port);
        w.member_unless_zero("host_port", port.host_port);
        w.member_unless_zero("container_tls_proxy_port", port.container_tls_proxy_port);
        w.member_unless_zero("host_tls_proxy_port", port.host_tls_proxy_port).end_object();
    }
    w.end_array();
}

bool is(const api::ActualPtr& lrp, api::LrpState state) {
    return lrp && lrp->state == state;
}

// A suspect that lives stands in for an ordinary one that does not run yet.
api::ActualPtr instance_of(const api::ActualLrpGroup& group) {
    const auto& ordinary = group.ordinary;
    const auto& suspect = group.suspect;
    if (!ordinary || !suspect) return ordinary ? ordinary : suspect;
    if (is(ordinary, api::LrpState::running)) return ordinary;
    if (is(suspect, api::LrpState::running)) return suspect;
    const bool claimed = is(suspect, api::LrpState::claimed);
    return claimed && !is(ordinary, api::LrpState::claimed) ? suspect : ordinary;
}

}  // namespace

api::ActualPtr flatten(const api::ActualLrpGroup& group) {
    const auto instance = instance_of(group);
    if (!instance || !group.evacuating) return instance ? instance : group.evacuating;
    const bool settled =
            is(instance, api::LrpState::running) || is(instance, api::LrpState::crashed);
    return settled ? instance : group.evacuating;
}

void write(Writer& w, const api::Task& task) {
    const auto& definition = task.task_definition.definition;
    w.begin_object().member("task_guid", task.task_guid).member("domain", task.domain);
    write_definition(w, definition);
    w.member("completion_callback_url", task.task_definition.completion_callback_url);
    // 2015 forgot to fill it, and clients have seen nothing else (receptor-api §3.2).
    w.member("result_file", "");
    // A task that was rejected or lost keeps its cell in the record.
    w.member("cell_id", task.state == api::TaskState::running ? task.cell_id : std::string());
    w.member("created_at", task.created_at).member("failed", task.failed);
    w.member("failure_reason", task.failure_reason).member("result", task.result);
    w.member("state", state_of(task.state));
    write_additions(w, definition);
    w.end_object();
}

void write(Writer& w, const api::DesiredLrp& o) {
    w.begin_object().member("process_guid", o.process_guid).member("domain", o.domain);
    write_definition(w, o.definition);
    w.member("instances", o.instances);
    write_optional(w, "setup", o.setup);
    write_optional(w, "monitor", o.monitor);
    // Rounded up: 0 would be for ever.
    w.member("start_timeout", o.start_timeout_ms / 1'000 + (o.start_timeout_ms % 1'000 > 0));
    w.member("ports", o.ports);
    write_routes(w, o.routes);
    w.member("modification_tag", o.modification_tag);
    if (o.start_timeout_ms % 1'000 != 0) w.member("start_timeout_ms", o.start_timeout_ms);
    write_additions(w, o.definition);
    if (!o.check_definition.empty()) w.member("check_definition", o.check_definition);
    write_sidecars(w, o.sidecars);
    w.member_unless_zero("update_strategy", o.update_strategy);
    w.end_object();
}

void write(Writer& w, const api::ActualLrp& o, bool evacuating) {
    w.begin_object().member("process_guid", o.key.process_guid);
    w.member("instance_guid", o.instance.instance_guid).member("cell_id", o.instance.cell_id);
    w.member("domain", o.key.domain).member("index", o.key.index);
    w.member("address", o.net_info.address);
    write_ports(w, o.net_info.ports);
    w.member("state", to_string(o.state)).member_unless_zero("placement_error", o.placement_error);
    w.member("since", o.since).member("crash_count", o.crash_count);
    w.member_unless_zero("crash_reason", o.crash_reason).member("evacuating", evacuating);
    w.member("modification_tag", o.modification_tag).end_object();
}

void write(Writer& w, const api::ActualLrp& lrp) {
    write(w, lrp, lrp.presence == api::Presence::evacuating);
}

void write(Writer& w, const api::CellPresence& cell) {
    w.begin_object().member("cell_id", cell.cell_id).member("zone", cell.zone);
    w.member("capacity", cell.capacity).key("rootfs_providers").begin_object();
    for (const auto& provider : cell.rootfs_providers) w.member(provider.name, provider.properties);
    w.end_object().member_unless_zero("placement_tags", cell.placement_tags);
    w.member_unless_zero("optional_placement_tags", cell.optional_placement_tags).end_object();
}

}  // namespace brain::receptor
