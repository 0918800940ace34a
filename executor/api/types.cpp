// JSON of containers and of what is asked about them.
#include "executor/api/types.hpp"

#include "base/json_describe.hpp"

#include <algorithm>
#include <array>

namespace executor::api {

namespace {

constexpr auto kStates = std::to_array<std::string_view>(
        {"", "reserved", "initializing", "created", "running", "completed"});
constexpr auto kEvents = std::to_array<std::string_view>(
        {"container_reserved", "container_running", "container_complete"});

}  // namespace

std::string_view to_string(State state) {
    return kStates[static_cast<std::size_t>(state)];
}

std::optional<State> parse_state(std::string_view word) {
    const auto found = std::ranges::find(kStates, word);
    if (found == kStates.end()) return std::nullopt;
    return static_cast<State>(found - kStates.begin());
}

std::string_view to_string(EventKind kind) {
    return kEvents[static_cast<std::size_t>(kind)];
}

std::optional<EventKind> parse_event_kind(std::string_view word) {
    const auto found = std::ranges::find(kEvents, word);
    if (found == kEvents.end()) return std::nullopt;
    return static_cast<EventKind>(found - kEvents.begin());
}

void to_json(base::json::Writer& w, const State& v) {
    w.value(to_string(v));
}

base::Result<void> from_json(const base::json::Node& node, State& v) {
    const auto word = TRY(node.string());
    const auto state = parse_state(word);
    if (!state) return node.refuse("'" + word + "' is no state of a container");
    v = *state;
    return base::ok;
}

template <class V>
void describe(V& v, Resources& o) {
    v.always("memory_mb", o.memory_mb);
    v.always("disk_mb", o.disk_mb);
    v.always("containers", o.containers);
}

template <class V>
void describe(V& v, RunResult& o) {
    v.always("failed", o.failed);
    v.always("failure_reason", o.failure_reason);
    v.always("Retryable", o.retryable);
    v.always("stopped", o.stopped);
}

template <class V>
void describe_allocation(V& v, auto& o) {
    v.always("guid", o.guid);
    v.always("memory_mb", o.memory_mb);
    v.always("disk_mb", o.disk_mb);
    v.always("max_pids", o.max_pids);
    if constexpr (V::kReads) v.always("tags", o.tags);  // [2015]
    v.always("Tags", o.tags);
}

template <class V>
void describe_run_info(V& v, RunInfo& o) {
    v.always("rootfs", o.rootfs);
    v.always("cpu_weight", o.cpu_weight);
    v.always("ports", o.ports);
    v.omit("internal_routes", o.internal_routes);
    v.always("log_config", o.log_config);
    v.always("metrics_config", o.metrics_config);
    if constexpr (V::kReads) {
        std::uint32_t seconds = 0;  // [2015]
        v.omit("start_timeout", seconds);
        if (seconds != 0) o.start_timeout_ms = std::uint64_t{seconds} * 1000;
    }
    v.always("start_timeout_ms", o.start_timeout_ms);
    v.always("privileged", o.privileged);
    v.omit("cached_dependencies", o.cached_dependencies);
    v.always("setup", o.setup);
    v.always("run", o.run);
    v.always("monitor", o.monitor);
    v.always("check_definition", o.check_definition);
    v.omit("egress_rules", o.egress_rules);
    v.omit("env", o.env);
    v.omit("trusted_system_certificates_path", o.trusted_system_certificates_path);
    v.omit("volume_mounts", o.volume_mounts);
    v.always("network", o.network);
    v.always("certificate_properties", o.certificate_properties);
    v.always("image_username", o.image_username);
    v.always("image_password", o.image_password);
    v.always("enable_container_proxy", o.enable_container_proxy);
    v.omit("sidecars", o.sidecars);
    v.always("log_rate_limit_bytes_per_second", o.log_rate_limit_bytes_per_second);
    v.omit("volume_mounted_files", o.volume_mounted_files);
    v.omit("graceful_shutdown_interval_ms", o.graceful_shutdown_interval_ms);
}

template <class V>
void describe(V& v, RunInfo& o) {
    describe_run_info(v, o);
}

template <class V>
void describe(V& v, Container& o) {
    describe_allocation(v, o);
    v.always("state", o.state);
    v.always("routable", o.routable);
    v.always("allocated_at", o.allocated_at);
    v.always("external_ip", o.external_ip);
    v.always("internal_ip", o.internal_ip);
    v.omit("internal_ip_v6", o.internal_ip_v6);
    v.always("run_result", o.run_result);
    v.always("memory_limit", o.memory_limit);
    v.always("disk_limit", o.disk_limit);
    v.always(
            "advertise_preference_for_instance_address",
            o.advertise_preference_for_instance_address);
    describe_run_info(v, o.info);
}

template <class V>
void describe(V& v, AllocationRequest& o) {
    describe_allocation(v, o);
}

template <class V>
void describe(V& v, RunRequest& o) {
    v.always("guid", o.guid);
    if constexpr (V::kReads) v.always("tags", o.tags);
    v.always("Tags", o.tags);
    describe_run_info(v, o.info);
}

template <class V>
void describe(V& v, UpdateRequest& o) {
    v.always("guid", o.guid);
    v.omit("internal_routes", o.internal_routes);
    v.omit("metric_tags", o.metric_tags);
}

template <class V>
void describe(V& v, ContainerMetrics& o) {
    v.always("memory_usage_in_bytes", o.memory_usage_in_bytes);
    v.always("disk_usage_in_bytes", o.disk_usage_in_bytes);
    v.always("memory_limit_in_bytes", o.memory_limit_in_bytes);
    v.always("disk_limit_in_bytes", o.disk_limit_in_bytes);
    v.always("time_spent_in_cpu", o.time_spent_in_cpu);
    v.always("absolute_cpu_entitlement_in_ns", o.absolute_cpu_entitlement_in_ns);
    v.always("container_age_in_ns", o.container_age_in_ns);
    v.always("rx_in_bytes", o.rx_in_bytes);
    v.always("tx_in_bytes", o.tx_in_bytes);
}

BASE_JSON_DESCRIBED(Resources)
BASE_JSON_DESCRIBED(RunResult)
BASE_JSON_DESCRIBED(RunInfo)
BASE_JSON_DESCRIBED(Container)
BASE_JSON_DESCRIBED(AllocationRequest)
BASE_JSON_DESCRIBED(RunRequest)
BASE_JSON_DESCRIBED(UpdateRequest)
BASE_JSON_DESCRIBED(ContainerMetrics)

void to_json(base::json::Writer& w, const Event& v) {
    w.begin_object().member("container", v.container).end_object();
}

base::Result<void> from_json(const base::json::Node& node, Event& v) {
    base::json::Fields fields(node);
    fields.required("container", v.container);
    return fields.finish(base::json::Unknown::ignore);
}

}  // namespace executor::api
