// The objects of the rep's API exactly as their JSON (executor-rep §14), mixed naming included.
// Used by the rep, its client, the auctioneer and the CLI. Reading ignores unknown members; null
// and absent are the same, lists too.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "brain/api/keys.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rep::api {

struct Resources {  // wire: MemoryMB, …
    std::int64_t memory_mb = 0;
    std::int64_t disk_mb = 0;
    std::int64_t containers = 0;
    std::int64_t cpu_millis = 0;  // ours: thousandths of a core; absent when 0, not known
    bool operator==(const Resources&) const = default;
};

// What a scheme of root filesystems offers: any, or these names.
struct RootfsProvider {
    bool arbitrary = false;
    std::set<std::string> names;
    bool operator==(const RootfsProvider&) const = default;
};

using RootfsProviders = std::map<std::string, RootfsProvider>;  // by scheme

// What placing a piece of work needs to know; flat on the wire.
struct Needs {
    std::vector<std::string> placement_tags;
    std::vector<std::string> volume_drivers;
    std::string rootfs;
    std::int64_t memory_mb = 0;
    std::int64_t disk_mb = 0;
    std::int64_t max_pids = 0;
    std::int64_t cpu_millis = 0;  // ours, as above: not asked for
    bool operator==(const Needs&) const = default;
};

// The words of an LRP's state.
inline constexpr std::string_view kRunning = "RUNNING";
inline constexpr std::string_view kClaimed = "CLAIMED";    // anything before running
inline constexpr std::string_view kShutdown = "SHUTDOWN";  // completed, not failed
inline constexpr std::string_view kCrashed = "CRASHED";    // completed, failed

struct Lrp {
    std::string instance_guid;  // empty in work: the rep makes it
    std::string process_guid;
    std::int32_t index = 0;
    std::string domain;
    Needs needs;
    std::string state;
    std::string refusal;  // ours: why work came back; absent when empty
    bool operator==(const Lrp&) const = default;
};

struct Task {
    std::string task_guid;
    std::string domain;
    Needs needs;
    std::string state;
    bool failed = false;
    std::string refusal;  // ours, as above
    bool operator==(const Task&) const = default;
};

struct CellState {
    std::string rep_url;
    std::string cell_id;
    std::int64_t cell_index = 0;
    RootfsProviders rootfs_providers;
    Resources available_resources;
    Resources total_resources;
    std::vector<Lrp> lrps;
    std::vector<Task> tasks;
    std::int64_t starting_container_count = 0;
    std::string zone;
    bool evacuating = false;
    std::vector<std::string> volume_drivers;
    std::vector<std::string> placement_tags;
    std::vector<std::string> optional_placement_tags;
    std::int64_t proxy_memory_allocation_mb = 0;
    std::vector<std::string> cached_images;  // ours: root filesystems that need no pull
    bool operator==(const CellState&) const = default;
};

struct Work {
    std::vector<Lrp> lrps;
    std::vector<Task> tasks;
    std::string cell_id;
    std::string round_id;  // ours: the same again is answered as before, not done again

    bool empty() const { return lrps.empty() && tasks.empty(); }

    bool operator==(const Work&) const = default;
};

struct LrpUpdate {
    std::string instance_guid;
    brain::api::LrpKey key;  // flat
    std::vector<brain::api::InternalRoute> internal_routes;
    brain::api::MetricTags metric_tags;
    bool operator==(const LrpUpdate&) const = default;
};

struct Usage {  // flat
    std::string metric_guid;
    double cpu_usage_fraction = 0;
    std::uint64_t disk_usage_bytes = 0;
    std::uint64_t disk_quota_bytes = 0;
    std::uint64_t memory_usage_bytes = 0;
    std::uint64_t memory_quota_bytes = 0;
    std::optional<std::uint64_t> rx_bytes;
    std::optional<std::uint64_t> tx_bytes;
    bool operator==(const Usage&) const = default;
};

struct LrpMetrics {
    std::string instance_guid;
    std::string process_guid;
    std::int32_t index = 0;
    Usage usage;
    bool operator==(const LrpMetrics&) const = default;
};

struct TaskMetrics {
    std::string task_guid;
    Usage usage;
    bool operator==(const TaskMetrics&) const = default;
};

struct ContainerMetrics {
    std::string cell_id;
    std::vector<LrpMetrics> lrps;
    std::vector<TaskMetrics> tasks;
    bool operator==(const ContainerMetrics&) const = default;
};

void to_json(base::json::Writer& w, const Resources& v);
void to_json(base::json::Writer& w, const RootfsProvider& v);
void to_json(base::json::Writer& w, const Lrp& v);
void to_json(base::json::Writer& w, const Task& v);
void to_json(base::json::Writer& w, const CellState& v);
void to_json(base::json::Writer& w, const Work& v);
void to_json(base::json::Writer& w, const LrpUpdate& v);
void to_json(base::json::Writer& w, const LrpMetrics& v);
void to_json(base::json::Writer& w, const TaskMetrics& v);
void to_json(base::json::Writer& w, const ContainerMetrics& v);

base::Result<void> from_json(const base::json::Node& node, Resources& v);
base::Result<void> from_json(const base::json::Node& node, RootfsProvider& v);
base::Result<void> from_json(const base::json::Node& node, Lrp& v);
base::Result<void> from_json(const base::json::Node& node, Task& v);
base::Result<void> from_json(const base::json::Node& node, CellState& v);
base::Result<void> from_json(const base::json::Node& node, Work& v);
base::Result<void> from_json(const base::json::Node& node, LrpUpdate& v);
base::Result<void> from_json(const base::json::Node& node, LrpMetrics& v);
base::Result<void> from_json(const base::json::Node& node, TaskMetrics& v);
base::Result<void> from_json(const base::json::Node& node, ContainerMetrics& v);

}  // namespace rep::api
