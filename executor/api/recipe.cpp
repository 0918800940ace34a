// JSON of the parts of a run request.
#include "base/json_describe.hpp"
#include "executor/api/types.hpp"

namespace executor::api {

template <class V>
void describe(V& v, PortMapping& o) {
    v.always("container_port", o.container_port);
    v.omit("host_port", o.host_port);
    v.omit("container_tls_proxy_port", o.container_tls_proxy_port);
    v.omit("host_tls_proxy_port", o.host_tls_proxy_port);
}

template <class V>
void describe_stream(V& v, auto& o) {
    v.always("guid", o.guid);
    v.always("index", o.index);
    v.omit("tags", o.tags);
}

template <class V>
void describe(V& v, LogConfig& o) {
    describe_stream(v, o);
    v.always("source_name", o.source_name);
}

template <class V>
void describe(V& v, MetricsConfig& o) {
    describe_stream(v, o);
}

template <class V>
void describe(V& v, InternalRoute& o) {
    v.always("hostname", o.hostname);
}

template <class V>
void describe(V& v, CachedDependency& o) {
    v.always("name", o.name);
    v.always("from", o.from);
    v.always("to", o.to);
    v.always("cache_key", o.cache_key);
    v.always("log_source", o.log_source);
    v.omit("checksum_value", o.checksum_value);
    v.omit("checksum_algorithm", o.checksum_algorithm);
}

template <class V>
void describe(V& v, TcpCheck& o) {
    v.always("port", o.port);
    v.omit("connect_timeout_ms", o.connect_timeout_ms);
    v.omit("interval_ms", o.interval_ms);
}

template <class V>
void describe(V& v, HttpCheck& o) {
    v.always("port", o.port);
    v.omit("request_timeout_ms", o.request_timeout_ms);
    v.omit("path", o.path);
    v.omit("interval_ms", o.interval_ms);
}

template <class V>
void describe(V& v, Check& o) {
    v.omit("tcp_check", o.tcp_check);
    v.omit("http_check", o.http_check);
    v.omit("failure_threshold", o.failure_threshold);
}

template <class V>
void describe(V& v, CheckDefinition& o) {
    v.omit("checks", o.checks);
    v.omit("log_source", o.log_source);
    v.omit("readiness_checks", o.readiness_checks);
}

template <class V>
void describe(V& v, PortRange& o) {
    v.always("start", o.start);
    v.always("end", o.end);
}

template <class V>
void describe(V& v, IcmpInfo& o) {
    v.always("type", o.type);
    v.always("code", o.code);
}

template <class V>
void describe(V& v, EgressRule& o) {
    v.always("protocol", o.protocol);
    v.omit("destinations", o.destinations);
    v.omit("ports", o.ports);
    v.omit("port_range", o.port_range);
    v.omit("icmp_info", o.icmp_info);
    v.always("log", o.log);
}

template <class V>
void describe(V& v, MountedFile& o) {
    v.always("path", o.path);
    v.always("content", o.content);
}

template <class V>
void describe(V& v, Sidecar& o) {
    v.always("run", o.run);
    v.always("disk_mb", o.disk_mb);
    v.always("memory_mb", o.memory_mb);
}

template <class V>
void describe(V& v, Network& o) {
    v.omit("properties", o.properties);
}

template <class V>
void describe(V& v, CertificateProperties& o) {
    v.omit("organizational_unit", o.organizational_unit);
}

BASE_JSON_DESCRIBED(PortMapping)
BASE_JSON_DESCRIBED(LogConfig)
BASE_JSON_DESCRIBED(MetricsConfig)
BASE_JSON_DESCRIBED(InternalRoute)
BASE_JSON_DESCRIBED(CachedDependency)
BASE_JSON_DESCRIBED(TcpCheck)
BASE_JSON_DESCRIBED(HttpCheck)
BASE_JSON_DESCRIBED(Check)
BASE_JSON_DESCRIBED(CheckDefinition)
BASE_JSON_DESCRIBED(PortRange)
BASE_JSON_DESCRIBED(IcmpInfo)
BASE_JSON_DESCRIBED(EgressRule)
BASE_JSON_DESCRIBED(MountedFile)
BASE_JSON_DESCRIBED(Sidecar)
BASE_JSON_DESCRIBED(Network)
BASE_JSON_DESCRIBED(CertificateProperties)

// `config` belongs to the driver: its values pass through as they are.
void to_json(base::json::Writer& w, const VolumeMount& v) {
    w.begin_object()
            .member("driver", v.driver)
            .member("volume_id", v.volume_id)
            .key("config")
            .begin_object();
    for (const auto& [name, text] : v.config) w.key(name).raw(text);
    w.end_object().member("container_path", v.container_path).member("mode", v.mode).end_object();
}

base::Result<void> from_json(const base::json::Node& node, VolumeMount& v) {
    base::json::Fields fields(node);
    fields.optional("driver", v.driver)
            .optional("volume_id", v.volume_id)
            .optional("container_path", v.container_path)
            .optional("mode", v.mode);
    TRY(fields.finish(base::json::Unknown::ignore));
    v.config.clear();
    const auto config = TRY(node.find("config"));
    if (!config || config->is_null()) return base::ok;
    const auto members = TRY(config->members());
    for (const auto& [name, member] : members) v.config[name] = member.dump();
    return base::ok;
}

}  // namespace executor::api
