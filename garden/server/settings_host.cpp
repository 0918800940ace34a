// What Garden's operators set for all containers of a host at once (garden-behaviours E): TCP
// timers, weight of disk accesses, devices of privileged containers.
#include "base/fail.hpp"
#include "garden/server/settings.hpp"
#include "security/devices.hpp"

namespace garden::server {

namespace {

constexpr std::uint32_t kMinBlockWeight = 10, kMaxBlockWeight = 1000;  // garden-behaviours E
constexpr std::size_t kMaxDeviceRules = 64;

}  // namespace

void declare_host(base::config::Schema& schema, Settings& s) {
    schema.add(
            {.key = "network.tcp_keepalive_time",
             .flag = "tcp-keepalive-time",
             .help = "Seconds of silence before containers probe a connection; 0 = the host's"},
            s.tcp_keepalive_time);
    schema.add(
            {.key = "network.tcp_keepalive_interval",
             .flag = "tcp-keepalive-interval",
             .help = "Seconds between those probes; 0 = the host's"},
            s.tcp_keepalive_interval);
    schema.add(
            {.key = "network.tcp_keepalive_probes",
             .flag = "tcp-keepalive-probes",
             .help = "Probes without an answer that end a connection; 0 = the host's"},
            s.tcp_keepalive_probes);
    schema.add(
            {.key = "network.tcp_retries1",
             .flag = "tcp-retries1",
             .help = "net.ipv4.tcp_retries1 of containers; 0 = the host's"},
            s.tcp_retries1);
    schema.add(
            {.key = "network.tcp_retries2",
             .flag = "tcp-retries2",
             .help = "net.ipv4.tcp_retries2 of containers; 0 = the host's"},
            s.tcp_retries2);
    schema.add(
            {.key = "limits.default_blockio_weight",
             .flag = "default-container-blockio-weight",
             .help = "Weight of each container's disk accesses, 10 to 1000; 0 = the kernel's"},
            s.engine.blockio_weight);
    schema.add(
            {.key = "security.device_cgroup_rules",
             .flag = "device-cgroup-rule",
             .help = "Device that privileged containers may use besides: \"c 10:200 rwm\" (DEV-05)",
             .value = "RULE"},
            s.device_cgroup_rules);
}

base::Result<void> settle_host(Settings& s) {
    const std::pair<const char*, std::uint32_t> timers[] = {
            {"net.ipv4.tcp_keepalive_time", s.tcp_keepalive_time},
            {"net.ipv4.tcp_keepalive_intvl", s.tcp_keepalive_interval},
            {"net.ipv4.tcp_keepalive_probes", s.tcp_keepalive_probes},
            {"net.ipv4.tcp_retries1", s.tcp_retries1},
            {"net.ipv4.tcp_retries2", s.tcp_retries2}};
    for (const auto& [name, value] : timers) {
        if (value != 0) s.engine.sysctls[name] = std::to_string(value);
    }
    const auto weight = s.engine.blockio_weight;
    if (weight != 0 && (weight < kMinBlockWeight || weight > kMaxBlockWeight)) {
        return base::fail(
                base::Errc::invalid,
                "--default-container-blockio-weight: {} is not 0 and not from {} to {}", weight,
                kMinBlockWeight, kMaxBlockWeight);
    }
    if (s.device_cgroup_rules.size() > kMaxDeviceRules) {
        return base::fail(
                base::Errc::invalid, "--device-cgroup-rule: given {} times, at most {}",
                s.device_cgroup_rules.size(), kMaxDeviceRules);
    }
    s.engine.privileged_devices.clear();
    for (const auto& text : s.device_cgroup_rules) {
        s.engine.privileged_devices.push_back(
                TRY(security::parse_device_rule(text).context("--device-cgroup-rule")));
    }
    return base::ok;
}

}  // namespace garden::server
