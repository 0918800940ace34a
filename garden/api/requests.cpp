// JSON of what clients send: container and process specifications, limits, rules, stream messages.
#include "base/json_describe.hpp"
#include "garden/api/types.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace garden::api {

namespace {

constexpr auto kResources = std::to_array<std::string_view>(
        {"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
         "nproc", "rss", "rtprio", "sigpending", "stack"});

template <class V>
void describe(V& v, ImageRef& o) {
    v.omit("uri", o.uri);
    v.omit("username", o.username);
    v.omit("password", o.password);
}

template <class V>
void describe(V& v, BindMount& o) {
    v.omit("src_path", o.src_path);
    v.omit("dst_path", o.dst_path);
    v.omit("mode", o.mode);
    v.omit("origin", o.origin);
}

template <class V>
void describe(V& v, BandwidthLimits& o) {
    v.omit("rate", o.rate);
    v.omit("burst", o.burst);
}

template <class V>
void describe(V& v, CpuLimits& o) {
    v.omit("weight", o.weight);
    v.omit("limit_in_shares", o.limit_in_shares);
}

template <class V>
void describe(V& v, DiskLimits& o) {
    v.omit("inode_soft", o.inode_soft);
    v.omit("inode_hard", o.inode_hard);
    v.omit("byte_soft", o.byte_soft);
    v.omit("byte_hard", o.byte_hard);
    v.omit("scope", o.scope);
}

template <class V>
void describe(V& v, MemoryLimits& o) {
    v.omit("limit_in_bytes", o.limit_in_bytes);
}

template <class V>
void describe(V& v, PidLimits& o) {
    v.omit("max", o.max);
}

template <class V>
void describe(V& v, Limits& o) {
    v.always("bandwidth_limits", o.bandwidth_limits);
    v.always("cpu_limits", o.cpu_limits);
    v.always("disk_limits", o.disk_limits);
    v.always("memory_limits", o.memory_limits);
    v.always("pid_limits", o.pid_limits);
}

template <class V>
void describe(V& v, IpRange& o) {
    v.omit("start", o.start);
    v.omit("end", o.end);
}

template <class V>
void describe(V& v, PortRange& o) {
    v.omit("start", o.start);
    v.omit("end", o.end);
}

template <class V>
void describe(V& v, IcmpControl& o) {
    v.omit("type", o.type);
    v.omit("code", o.code);
}

template <class V>
void describe(V& v, NetOutRule& o) {
    v.omit("protocol", o.protocol);
    v.omit("networks", o.networks);
    v.omit("ports", o.ports);
    v.omit("icmps", o.icmps);
    v.omit("log", o.log);
}

template <class V>
void describe(V& v, NetIn& o) {
    v.always("host_port", o.host_port);
    v.always("container_port", o.container_port);
}

template <class V>
void describe(V& v, ContainerExtras& o) {
    v.omit("class", o.container_class);
    v.omit("no_new_privileges", o.no_new_privileges);
    v.omit("seccomp_profile", o.seccomp_profile);
}

template <class V>
void describe(V& v, ContainerSpec& o) {
    v.omit("handle", o.handle);
    v.omit("grace_time", o.grace_time);
    v.omit("rootfs", o.rootfs);
    v.always("image", o.image);
    v.omit("bind_mounts", o.bind_mounts);
    v.omit("network", o.network);
    v.omit("properties", o.properties);
    v.omit("env", o.env);
    v.omit("privileged", o.privileged);
    v.always("limits", o.limits);
    v.omit("netout_rules", o.netout_rules);
    v.omit("netin", o.netin);
    v.omit("cloche", o.cloche);
}

template <class V>
void describe(V& v, WindowSize& o) {
    v.omit("columns", o.columns);
    v.omit("rows", o.rows);
}

template <class V>
void describe(V& v, Tty& o) {
    v.omit("window_size", o.window_size);
}

template <class V>
void describe(V& v, ProcessLimits& o) {
    v.always("cpu_limits", o.cpu_limits);
    v.always("memory_limits", o.memory_limits);
}

template <class V>
void describe(V& v, ProcessSpec& o) {
    v.omit("id", o.id);
    v.omit("path", o.path);
    v.omit("args", o.args);
    v.omit("env", o.env);
    v.omit("dir", o.dir);
    v.omit("user", o.user);
    v.always("rlimits", o.rlimits);
    v.omit("limits", o.limits);
    v.omit("tty", o.tty);
    v.always("image", o.image);
    v.omit("bind_mounts", o.bind_mounts);
}

template <class V>
void describe(V& v, ProcessMessage& o) {
    v.omit("process_id", o.process_id);
    v.omit("stream_id", o.stream_id);
    v.omit("source", o.source);
    v.omit("data", o.data);
    v.omit("exit_status", o.exit_status);
    v.omit("error", o.error);
    v.omit("tty", o.tty);
    v.omit("signal", o.signal);
}

template <class V>
void describe(V& v, StopRequest& o) {
    v.always("kill", o.kill);
}

template <class V>
void describe(V& v, PropertyValue& o) {
    v.always("value", o.value);
}

template <class V>
void describe(V& v, NetInRequest& o) {
    v.omit("handle", o.handle);
    v.omit("host_port", o.host_port);
    v.omit("container_port", o.container_port);
}

}  // namespace

BASE_JSON_DESCRIBED(ImageRef)
BASE_JSON_DESCRIBED(BindMount)
BASE_JSON_DESCRIBED(BandwidthLimits)
BASE_JSON_DESCRIBED(CpuLimits)
BASE_JSON_DESCRIBED(DiskLimits)
BASE_JSON_DESCRIBED(MemoryLimits)
BASE_JSON_DESCRIBED(PidLimits)
BASE_JSON_DESCRIBED(Limits)
BASE_JSON_DESCRIBED(IpRange)
BASE_JSON_DESCRIBED(PortRange)
BASE_JSON_DESCRIBED(IcmpControl)
BASE_JSON_DESCRIBED(NetOutRule)
BASE_JSON_DESCRIBED(NetIn)
BASE_JSON_DESCRIBED(ContainerExtras)
BASE_JSON_DESCRIBED(ContainerSpec)
BASE_JSON_DESCRIBED(WindowSize)
BASE_JSON_DESCRIBED(Tty)
BASE_JSON_DESCRIBED(ProcessLimits)
BASE_JSON_DESCRIBED(ProcessMessage)
BASE_JSON_DESCRIBED(StopRequest)
BASE_JSON_DESCRIBED(PropertyValue)
BASE_JSON_DESCRIBED(NetInRequest)

void to_json(base::json::Writer& w, const ProcessSpec& v) {
    w.begin_object();
    base::json::WriteVisitor visitor(w);
    describe(visitor, const_cast<ProcessSpec&>(v));
    w.end_object();
}

base::Result<void> from_json(const base::json::Node& node, ProcessSpec& v) {
    base::json::ReadVisitor visitor(node);
    describe(visitor, v);
    TRY(visitor.finish());
    // Members that no one knows are ignored here as everywhere (garden-api §4).
    std::erase_if(v.rlimits, [](const auto& entry) {
        return std::find(kResources.begin(), kResources.end(), entry.first) == kResources.end();
    });
    return base::ok;
}

}  // namespace garden::api
