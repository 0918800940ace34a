// The objects of the executor's API exactly as their JSON (executor-rep §2, §3, §7.2), one struct
// each. Used by the executor, its client and the rep. Reading ignores unknown members; null and
// absent are the same.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "executor/api/action.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace executor::api {

inline constexpr std::size_t kMaxFailureReason = 10'000;  // characters (executor-rep §2.2)
inline constexpr std::size_t kMaxGuid = 200;              // bytes; a Garden handle holds 1,024

using Tags = std::map<std::string, std::string>;

enum class State : std::uint8_t { invalid, reserved, initializing, created, running, completed };

std::string_view to_string(State state);  // invalid: ""
std::optional<State> parse_state(std::string_view word);

struct Resources {
    std::int64_t memory_mb = 0;
    std::int64_t disk_mb = 0;
    std::int64_t containers = 0;
    bool operator==(const Resources&) const = default;
};

struct PortMapping {
    std::uint16_t container_port = 0;
    std::uint16_t host_port = 0;  // 0: not mapped yet
    std::uint16_t container_tls_proxy_port = 0;
    std::uint16_t host_tls_proxy_port = 0;
    bool operator==(const PortMapping&) const = default;
};

struct LogConfig {
    std::string guid;  // "": no logs
    std::int64_t index = 0;
    std::string source_name;
    Tags tags;
    bool operator==(const LogConfig&) const = default;
};

struct MetricsConfig {
    std::string guid;  // "": no metrics
    std::int64_t index = 0;
    Tags tags;
    bool operator==(const MetricsConfig&) const = default;
};

struct InternalRoute {
    std::string hostname;
    bool operator==(const InternalRoute&) const = default;
};

struct CachedDependency {
    std::string name;
    std::string from;
    std::string to;
    std::string cache_key;
    std::string log_source;
    std::string checksum_value;
    std::string checksum_algorithm;
    bool operator==(const CachedDependency&) const = default;
};

struct TcpCheck {
    std::uint16_t port = 0;
    std::uint64_t connect_timeout_ms = 0;  // 0: 1,000
    std::uint64_t interval_ms = 0;         // 0: the cell's
    bool operator==(const TcpCheck&) const = default;
};

struct HttpCheck {
    std::uint16_t port = 0;
    std::uint64_t request_timeout_ms = 0;  // 0: 1,000
    std::string path;                      // "": "/"
    std::uint64_t interval_ms = 0;
    bool operator==(const HttpCheck&) const = default;
};

// Exactly one of the two. `failure_threshold` is ours: consecutive failures that end a healthy
// instance, 0 = 1 (edges §4.4, executor-rep §23).
struct Check {
    std::optional<TcpCheck> tcp_check;
    std::optional<HttpCheck> http_check;
    std::uint32_t failure_threshold = 0;
    bool operator==(const Check&) const = default;
};

struct CheckDefinition {
    std::vector<Check> checks;
    std::string log_source;
    std::vector<Check> readiness_checks;

    bool empty() const { return checks.empty() && readiness_checks.empty(); }

    bool operator==(const CheckDefinition&) const = default;
};

struct PortRange {
    std::uint16_t start = 0;
    std::uint16_t end = 0;
    bool operator==(const PortRange&) const = default;
};

struct IcmpInfo {
    std::int32_t type = 0;  // -1: any
    std::int32_t code = 0;
    bool operator==(const IcmpInfo&) const = default;
};

struct EgressRule {  // receptor-api §8
    std::string protocol;
    std::vector<std::string> destinations;
    std::vector<std::uint16_t> ports;
    std::optional<PortRange> port_range;
    std::optional<IcmpInfo> icmp_info;
    bool log = false;
    bool operator==(const EgressRule&) const = default;
};

struct VolumeMount {
    std::string driver;
    std::string volume_id;
    std::map<std::string, std::string> config;  // values: JSON text of anything
    std::string container_path;
    std::uint32_t mode = 0;  // 0 read-only, 1 read-write
    bool operator==(const VolumeMount&) const = default;
};

struct MountedFile {
    std::string path;
    std::string content;
    bool operator==(const MountedFile&) const = default;
};

struct Sidecar {
    Action run;
    std::int64_t disk_mb = 0;
    std::int64_t memory_mb = 0;
    bool operator==(const Sidecar&) const = default;
};

struct Network {
    std::map<std::string, std::string> properties;
    bool operator==(const Network&) const = default;
};

struct CertificateProperties {
    std::vector<std::string> organizational_unit;
    bool operator==(const CertificateProperties&) const = default;
};

// Flattened into the container's object on the wire.
struct RunInfo {
    std::string rootfs;
    std::uint32_t cpu_weight = 0;
    std::vector<PortMapping> ports;
    std::vector<InternalRoute> internal_routes;
    LogConfig log_config;
    MetricsConfig metrics_config;
    std::uint64_t start_timeout_ms = 0;  // read too: start_timeout (seconds, 2015)
    bool privileged = false;
    std::vector<CachedDependency> cached_dependencies;
    std::optional<Action> setup;
    std::optional<Action> run;
    std::optional<Action> monitor;
    CheckDefinition check_definition;
    std::vector<EgressRule> egress_rules;
    std::vector<EnvironmentVariable> env;
    std::string trusted_system_certificates_path;
    std::vector<VolumeMount> volume_mounts;
    Network network;
    CertificateProperties certificate_properties;
    std::string image_username;
    std::string image_password;
    bool enable_container_proxy = false;
    std::vector<Sidecar> sidecars;
    std::int64_t log_rate_limit_bytes_per_second = -1;
    std::vector<MountedFile> volume_mounted_files;
    // Ours; 0 = the cell's (10 s). Between SIGTERM and SIGKILL.
    std::uint64_t graceful_shutdown_interval_ms = 0;
    bool operator==(const RunInfo&) const = default;
};

struct RunResult {
    bool failed = false;
    std::string failure_reason;
    bool retryable = false;  // wire: Retryable
    bool stopped = false;
    bool operator==(const RunResult&) const = default;
};

struct Container {
    std::string guid;
    std::int64_t memory_mb = 0;
    std::int64_t disk_mb = 0;
    std::int64_t max_pids = 0;
    Tags tags;  // wire: Tags; read too: tags (2015)
    State state = State::invalid;
    bool routable = false;
    std::int64_t allocated_at = 0;  // ns since 1970
    std::string external_ip;
    std::string internal_ip;
    std::string internal_ip_v6;
    RunResult run_result;
    std::uint64_t memory_limit = 0;  // bytes
    std::uint64_t disk_limit = 0;    // bytes
    bool advertise_preference_for_instance_address = false;
    RunInfo info;
    bool operator==(const Container&) const = default;

    bool is_created() const { return state == State::created || state == State::running; }
};

struct AllocationRequest {  // today's allocate; a whole Container's JSON reads as one, too
    std::string guid;
    std::int64_t memory_mb = 0;
    std::int64_t disk_mb = 0;
    std::int64_t max_pids = 0;
    Tags tags;
    RunInfo info;  // not on the wire: the recipe that came with it [2015]
    bool operator==(const AllocationRequest&) const = default;
};

struct RunRequest {
    std::string guid;
    RunInfo info;
    Tags tags;  // added to those of the allocation
    bool operator==(const RunRequest&) const = default;
};

struct UpdateRequest {
    std::string guid;
    std::vector<InternalRoute> internal_routes;
    Tags metric_tags;
    bool operator==(const UpdateRequest&) const = default;
};

struct ContainerMetrics {
    std::uint64_t memory_usage_in_bytes = 0;
    std::uint64_t disk_usage_in_bytes = 0;
    std::uint64_t memory_limit_in_bytes = 0;
    std::uint64_t disk_limit_in_bytes = 0;
    std::uint64_t time_spent_in_cpu = 0;  // ns
    std::uint64_t absolute_cpu_entitlement_in_ns = 0;
    std::uint64_t container_age_in_ns = 0;
    std::optional<std::uint64_t> rx_in_bytes;
    std::optional<std::uint64_t> tx_in_bytes;
    bool operator==(const ContainerMetrics&) const = default;
};

enum class EventKind : std::uint8_t { reserved, running, complete };

std::string_view to_string(EventKind kind);  // "container_reserved", …
std::optional<EventKind> parse_event_kind(std::string_view word);

struct Event {
    EventKind kind = EventKind::reserved;
    Container container;
};

// `reason` in characters, not bytes: longer ones keep head and tail around a mark (§2.2).
std::string cut_failure_reason(std::string_view reason);

// Errc::invalid names the field. Everything but the actions' own rules is checked here, too.
base::Result<void> validate(const RunInfo& info);
base::Result<void> validate(const AllocationRequest& request);

void to_json(base::json::Writer& w, const Resources& v);
void to_json(base::json::Writer& w, const PortMapping& v);
void to_json(base::json::Writer& w, const LogConfig& v);
void to_json(base::json::Writer& w, const MetricsConfig& v);
void to_json(base::json::Writer& w, const InternalRoute& v);
void to_json(base::json::Writer& w, const CachedDependency& v);
void to_json(base::json::Writer& w, const TcpCheck& v);
void to_json(base::json::Writer& w, const HttpCheck& v);
void to_json(base::json::Writer& w, const Check& v);
void to_json(base::json::Writer& w, const CheckDefinition& v);
void to_json(base::json::Writer& w, const PortRange& v);
void to_json(base::json::Writer& w, const IcmpInfo& v);
void to_json(base::json::Writer& w, const EgressRule& v);
void to_json(base::json::Writer& w, const VolumeMount& v);
void to_json(base::json::Writer& w, const MountedFile& v);
void to_json(base::json::Writer& w, const Sidecar& v);
void to_json(base::json::Writer& w, const Network& v);
void to_json(base::json::Writer& w, const CertificateProperties& v);
void to_json(base::json::Writer& w, const RunInfo& v);
void to_json(base::json::Writer& w, const RunResult& v);
void to_json(base::json::Writer& w, const Container& v);
void to_json(base::json::Writer& w, const AllocationRequest& v);
void to_json(base::json::Writer& w, const RunRequest& v);
void to_json(base::json::Writer& w, const UpdateRequest& v);
void to_json(base::json::Writer& w, const ContainerMetrics& v);
void to_json(base::json::Writer& w, const Event& v);  // {"container":{…}}

base::Result<void> from_json(const base::json::Node& node, Resources& v);
base::Result<void> from_json(const base::json::Node& node, PortMapping& v);
base::Result<void> from_json(const base::json::Node& node, LogConfig& v);
base::Result<void> from_json(const base::json::Node& node, MetricsConfig& v);
base::Result<void> from_json(const base::json::Node& node, InternalRoute& v);
base::Result<void> from_json(const base::json::Node& node, CachedDependency& v);
base::Result<void> from_json(const base::json::Node& node, TcpCheck& v);
base::Result<void> from_json(const base::json::Node& node, HttpCheck& v);
base::Result<void> from_json(const base::json::Node& node, Check& v);
base::Result<void> from_json(const base::json::Node& node, CheckDefinition& v);
base::Result<void> from_json(const base::json::Node& node, PortRange& v);
base::Result<void> from_json(const base::json::Node& node, IcmpInfo& v);
base::Result<void> from_json(const base::json::Node& node, EgressRule& v);
base::Result<void> from_json(const base::json::Node& node, VolumeMount& v);
base::Result<void> from_json(const base::json::Node& node, MountedFile& v);
base::Result<void> from_json(const base::json::Node& node, Sidecar& v);
base::Result<void> from_json(const base::json::Node& node, Network& v);
base::Result<void> from_json(const base::json::Node& node, CertificateProperties& v);
base::Result<void> from_json(const base::json::Node& node, RunInfo& v);
base::Result<void> from_json(const base::json::Node& node, RunResult& v);
base::Result<void> from_json(const base::json::Node& node, Container& v);
base::Result<void> from_json(const base::json::Node& node, AllocationRequest& v);
base::Result<void> from_json(const base::json::Node& node, RunRequest& v);
base::Result<void> from_json(const base::json::Node& node, UpdateRequest& v);
base::Result<void> from_json(const base::json::Node& node, ContainerMetrics& v);
base::Result<void> from_json(const base::json::Node& node, Event& v);  // its kind stays

}  // namespace executor::api
