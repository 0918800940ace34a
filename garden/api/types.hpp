// The objects of the Garden API exactly as their JSON (garden-api §5), one struct each. Used by
// garden/server, the typed client and whoever speaks to gardend. Reading ignores unknown members,
// null and absent are the same; writing omits zeros as Go does.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace garden::api {

using StringMap = std::map<std::string, std::string>;

struct ImageRef {
    std::string uri;
    std::string username;
    std::string password;

    bool empty() const { return uri.empty() && username.empty() && password.empty(); }
};

struct BindMount {
    std::string src_path;
    std::string dst_path;
    std::uint32_t mode = 0;    // 0 read-only, 1 read-write
    std::uint32_t origin = 0;  // 0 host, 1 container
};

struct BandwidthLimits {
    std::uint64_t rate = 0;
    std::uint64_t burst = 0;
};

struct CpuLimits {
    std::uint64_t weight = 0;
    std::uint64_t limit_in_shares = 0;
};

struct DiskLimits {
    std::uint64_t inode_soft = 0;
    std::uint64_t inode_hard = 0;
    std::uint64_t byte_soft = 0;
    std::uint64_t byte_hard = 0;
    std::uint32_t scope = 0;  // 0 total, 1 exclusive
};

struct MemoryLimits {
    std::uint64_t limit_in_bytes = 0;
};

struct PidLimits {
    std::uint64_t max = 0;
};

struct Limits {
    BandwidthLimits bandwidth_limits;
    CpuLimits cpu_limits;
    DiskLimits disk_limits;
    MemoryLimits memory_limits;
    PidLimits pid_limits;
};

struct IpRange {
    std::string start;
    std::string end;
};

struct PortRange {
    std::uint16_t start = 0;
    std::uint16_t end = 0;
};

struct IcmpControl {
    std::uint8_t type = 0;
    std::optional<std::uint8_t> code;  // a present 0 is a real 0
};

struct NetOutRule {
    std::uint32_t protocol = 0;  // 0 all, 1 tcp, 2 udp, 3 icmp, 4 icmpv6
    std::vector<IpRange> networks;
    std::vector<PortRange> ports;
    std::optional<IcmpControl> icmps;
    bool log = false;
};

struct NetIn {  // of ContainerSpec: both members always present
    std::uint32_t host_port = 0;
    std::uint32_t container_port = 0;
};

// Ours, in the member "cloche" that other servers ignore.
struct ContainerExtras {
    std::string container_class;  // "" = by `privileged`, "unprivileged", "privileged",
                                  // "privileged_in_userns"
    bool no_new_privileges = false;
    std::string seccomp_profile;  // OCI JSON as text

    bool empty() const {
        return container_class.empty() && !no_new_privileges && seccomp_profile.empty();
    }
};

struct ContainerSpec {
    std::string handle;
    std::int64_t grace_time = 0;  // nanoseconds
    std::string rootfs;
    ImageRef image;
    std::vector<BindMount> bind_mounts;
    std::string network;
    StringMap properties;
    std::vector<std::string> env;
    bool privileged = false;
    Limits limits;
    std::vector<NetOutRule> netout_rules;
    std::vector<NetIn> netin;
    ContainerExtras cloche;
};

struct WindowSize {
    std::uint32_t columns = 0;
    std::uint32_t rows = 0;
};

struct Tty {
    std::optional<WindowSize> window_size;
};

struct ProcessLimits {  // "OverrideContainerLimits"
    CpuLimits cpu_limits;
    MemoryLimits memory_limits;
};

// A present 0 is a real 0. Names: as core cpu data fsize locks memlock msgqueue nice nofile nproc
// rss rtprio sigpending stack.
using ResourceLimits = std::map<std::string, std::uint64_t>;

struct ProcessSpec {
    std::string id;
    std::string path;
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::string dir;
    std::string user;
    ResourceLimits rlimits;
    std::optional<ProcessLimits> limits;
    std::optional<Tty> tty;
    ImageRef image;
    std::vector<BindMount> bind_mounts;
};

// One message of the process stream, both directions (garden-api 7.2).
struct ProcessMessage {
    std::string process_id;
    std::optional<std::string> stream_id;
    std::optional<std::int64_t> source;
    std::optional<std::string> data;
    std::optional<std::int64_t> exit_status;
    std::optional<std::string> error;
    std::optional<Tty> tty;
    std::optional<std::int64_t> signal;  // 0 terminate, 1 kill
};

struct CreateAnswer {
    std::string handle;
};

struct ListAnswer {
    std::vector<std::string> handles;
};

struct StopRequest {
    bool kill = false;
};

struct PropertyValue {
    std::string value;
};

struct NetInRequest {
    std::string handle;
    std::uint32_t host_port = 0;
    std::uint32_t container_port = 0;
};

struct NetInResponse {
    std::uint32_t host_port = 0;
    std::uint32_t container_port = 0;
};

struct Capacity {
    std::uint64_t memory_in_bytes = 0;
    std::uint64_t disk_in_bytes = 0;
    std::uint64_t schedulable_disk_in_bytes = 0;
    std::uint64_t max_containers = 0;
};

// The Go names are the wire names from here on.
struct PortMapping {
    std::uint32_t host_port = 0;
    std::uint32_t container_port = 0;
};

struct ContainerInfo {
    std::string state;
    std::vector<std::string> events;
    std::string host_ip;
    std::string container_ip;
    std::string container_ipv6;
    std::string external_ip;
    std::string container_path;
    std::vector<std::string> process_ids;
    StringMap properties;
    std::vector<PortMapping> mapped_ports;
};

struct MemoryStat {
    std::uint64_t active_anon = 0, active_file = 0, cache = 0, hierarchical_memory_limit = 0,
                  inactive_anon = 0, inactive_file = 0, mapped_file = 0, pgfault = 0,
                  pgmajfault = 0, pgpgin = 0, pgpgout = 0, rss = 0, total_active_anon = 0,
                  total_active_file = 0, total_cache = 0, total_inactive_anon = 0,
                  total_inactive_file = 0, total_mapped_file = 0, total_pgfault = 0,
                  total_pgmajfault = 0, total_pgpgin = 0, total_pgpgout = 0, total_rss = 0,
                  total_unevictable = 0, unevictable = 0, swap = 0, hierarchical_memsw_limit = 0,
                  total_swap = 0, total_usage_toward_limit = 0, anon = 0, file = 0, swapcached = 0;
};

struct CpuStat {  // nanoseconds
    std::uint64_t usage = 0, user = 0, system = 0;
};

struct DiskStat {
    std::uint64_t total_bytes_used = 0, total_inodes_used = 0, exclusive_bytes_used = 0,
                  exclusive_inodes_used = 0;
};

struct NetworkStat {
    std::uint64_t rx_bytes = 0, tx_bytes = 0;
};

struct PidStat {
    std::uint64_t current = 0, max = 0;
};

struct Metrics {
    MemoryStat memory_stat;
    CpuStat cpu_stat;
    DiskStat disk_stat;
    std::optional<NetworkStat> network_stat;
    PidStat pid_stat;
    std::int64_t age = 0;  // nanoseconds
    std::uint64_t cpu_entitlement = 0;
};

struct Error;  // NOLINT(bugprone-forward-declaration-namespace): error.hpp

void to_json(base::json::Writer& w, const ImageRef& v);
void to_json(base::json::Writer& w, const BindMount& v);
void to_json(base::json::Writer& w, const BandwidthLimits& v);
void to_json(base::json::Writer& w, const CpuLimits& v);
void to_json(base::json::Writer& w, const DiskLimits& v);
void to_json(base::json::Writer& w, const MemoryLimits& v);
void to_json(base::json::Writer& w, const PidLimits& v);
void to_json(base::json::Writer& w, const Limits& v);
void to_json(base::json::Writer& w, const IpRange& v);
void to_json(base::json::Writer& w, const PortRange& v);
void to_json(base::json::Writer& w, const IcmpControl& v);
void to_json(base::json::Writer& w, const NetOutRule& v);
void to_json(base::json::Writer& w, const NetIn& v);
void to_json(base::json::Writer& w, const ContainerExtras& v);
void to_json(base::json::Writer& w, const ContainerSpec& v);
void to_json(base::json::Writer& w, const WindowSize& v);
void to_json(base::json::Writer& w, const Tty& v);
void to_json(base::json::Writer& w, const ProcessLimits& v);
void to_json(base::json::Writer& w, const ProcessSpec& v);
void to_json(base::json::Writer& w, const ProcessMessage& v);
void to_json(base::json::Writer& w, const CreateAnswer& v);
void to_json(base::json::Writer& w, const ListAnswer& v);
void to_json(base::json::Writer& w, const StopRequest& v);
void to_json(base::json::Writer& w, const PropertyValue& v);
void to_json(base::json::Writer& w, const NetInRequest& v);
void to_json(base::json::Writer& w, const NetInResponse& v);
void to_json(base::json::Writer& w, const Capacity& v);
void to_json(base::json::Writer& w, const PortMapping& v);
void to_json(base::json::Writer& w, const ContainerInfo& v);
void to_json(base::json::Writer& w, const MemoryStat& v);
void to_json(base::json::Writer& w, const CpuStat& v);
void to_json(base::json::Writer& w, const DiskStat& v);
void to_json(base::json::Writer& w, const NetworkStat& v);
void to_json(base::json::Writer& w, const PidStat& v);
void to_json(base::json::Writer& w, const Metrics& v);

base::Result<void> from_json(const base::json::Node& node, ImageRef& v);
base::Result<void> from_json(const base::json::Node& node, BindMount& v);
base::Result<void> from_json(const base::json::Node& node, BandwidthLimits& v);
base::Result<void> from_json(const base::json::Node& node, CpuLimits& v);
base::Result<void> from_json(const base::json::Node& node, DiskLimits& v);
base::Result<void> from_json(const base::json::Node& node, MemoryLimits& v);
base::Result<void> from_json(const base::json::Node& node, PidLimits& v);
base::Result<void> from_json(const base::json::Node& node, Limits& v);
base::Result<void> from_json(const base::json::Node& node, IpRange& v);
base::Result<void> from_json(const base::json::Node& node, PortRange& v);
base::Result<void> from_json(const base::json::Node& node, IcmpControl& v);
base::Result<void> from_json(const base::json::Node& node, NetOutRule& v);
base::Result<void> from_json(const base::json::Node& node, NetIn& v);
base::Result<void> from_json(const base::json::Node& node, ContainerExtras& v);
base::Result<void> from_json(const base::json::Node& node, ContainerSpec& v);
base::Result<void> from_json(const base::json::Node& node, WindowSize& v);
base::Result<void> from_json(const base::json::Node& node, Tty& v);
base::Result<void> from_json(const base::json::Node& node, ProcessLimits& v);
base::Result<void> from_json(const base::json::Node& node, ProcessSpec& v);
base::Result<void> from_json(const base::json::Node& node, ProcessMessage& v);
base::Result<void> from_json(const base::json::Node& node, CreateAnswer& v);
base::Result<void> from_json(const base::json::Node& node, ListAnswer& v);
base::Result<void> from_json(const base::json::Node& node, StopRequest& v);
base::Result<void> from_json(const base::json::Node& node, PropertyValue& v);
base::Result<void> from_json(const base::json::Node& node, NetInRequest& v);
base::Result<void> from_json(const base::json::Node& node, NetInResponse& v);
base::Result<void> from_json(const base::json::Node& node, Capacity& v);
base::Result<void> from_json(const base::json::Node& node, PortMapping& v);
base::Result<void> from_json(const base::json::Node& node, ContainerInfo& v);
base::Result<void> from_json(const base::json::Node& node, MemoryStat& v);
base::Result<void> from_json(const base::json::Node& node, CpuStat& v);
base::Result<void> from_json(const base::json::Node& node, DiskStat& v);
base::Result<void> from_json(const base::json::Node& node, NetworkStat& v);
base::Result<void> from_json(const base::json::Node& node, PidStat& v);
base::Result<void> from_json(const base::json::Node& node, Metrics& v);

}  // namespace garden::api
