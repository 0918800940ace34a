#include "rep/api/types.hpp"

#include "base/json_describe.hpp"

namespace rep::api {

void to_json(base::json::Writer& w, const RootfsProvider& v) {
    w.begin_object();
    if (v.arbitrary) {
        w.member("type", "arbitrary");
    } else {
        w.member("type", "fixed_set").key("set").begin_object();
        for (const auto& name : v.names) w.key(name).begin_object().end_object();
        w.end_object();
    }
    w.end_object();
}

base::Result<void> from_json(const base::json::Node& node, RootfsProvider& v) {
    std::string type;
    base::json::Fields fields(node);
    fields.required("type", type);
    TRY(fields.finish(base::json::Unknown::ignore));
    v = {};
    v.arbitrary = type == "arbitrary";
    if (v.arbitrary) return base::ok;
    if (type != "fixed_set") return node.refuse("type '" + type.substr(0, 64) + "' is not known");
    const auto set = TRY(node.find("set"));
    if (!set || set->is_null()) return base::ok;
    for (const auto& [name, ignored] : TRY(set->members())) v.names.insert(name);
    return base::ok;
}

template <class V>
void describe(V& v, Resources& o) {
    v.always("MemoryMB", o.memory_mb);
    v.always("DiskMB", o.disk_mb);
    v.always("Containers", o.containers);
    v.omit("CPUMillis", o.cpu_millis);
}

template <class V>
void describe(V& v, Needs& o) {
    v.always("PlacementTags", o.placement_tags);
    v.always("VolumeDrivers", o.volume_drivers);
    v.always("RootFs", o.rootfs);
    v.always("MemoryMB", o.memory_mb);
    v.always("DiskMB", o.disk_mb);
    v.always("MaxPids", o.max_pids);
    v.omit("CPUMillis", o.cpu_millis);
}

template <class V>
void describe(V& v, Lrp& o) {
    v.always("instance_guid", o.instance_guid);
    v.always("process_guid", o.process_guid);
    v.always("index", o.index);
    v.always("domain", o.domain);
    describe(v, o.needs);
    v.always("state", o.state);
    v.omit("refusal", o.refusal);
}

template <class V>
void describe(V& v, Task& o) {
    v.always("TaskGuid", o.task_guid);
    v.always("Domain", o.domain);
    describe(v, o.needs);
    v.always("state", o.state);
    v.always("failed", o.failed);
    v.omit("refusal", o.refusal);
}

template <class V>
void describe(V& v, CellState& o) {
    v.always("rep_url", o.rep_url);
    v.always("cell_id", o.cell_id);
    v.always("cell_index", o.cell_index);
    v.always("RootFSProviders", o.rootfs_providers);
    v.always("AvailableResources", o.available_resources);
    v.always("TotalResources", o.total_resources);
    v.always("LRPs", o.lrps);
    v.always("Tasks", o.tasks);
    v.always("StartingContainerCount", o.starting_container_count);
    v.always("Zone", o.zone);
    v.always("Evacuating", o.evacuating);
    v.always("VolumeDrivers", o.volume_drivers);
    v.always("PlacementTags", o.placement_tags);
    v.always("OptionalPlacementTags", o.optional_placement_tags);
    v.always("ProxyMemoryAllocationMB", o.proxy_memory_allocation_mb);
    v.omit("CachedImages", o.cached_images);
}

template <class V>
void describe(V& v, Work& o) {
    v.always("LRPs", o.lrps);
    v.always("Tasks", o.tasks);
    v.omit("cell_id", o.cell_id);
    v.omit("round_id", o.round_id);
}

template <class V>
void describe(V& v, LrpUpdate& o) {
    v.always("instance_guid", o.instance_guid);
    v.always("process_guid", o.key.process_guid);
    v.always("index", o.key.index);
    v.always("domain", o.key.domain);
    v.always("internal_routes", o.internal_routes);
    v.always("metric_tags", o.metric_tags);
}

template <class V>
void describe(V& v, Usage& o) {
    v.always("metric_guid", o.metric_guid);
    v.always("cpu_usage_fraction", o.cpu_usage_fraction);
    v.always("disk_usage_bytes", o.disk_usage_bytes);
    v.always("disk_quota_bytes", o.disk_quota_bytes);
    v.always("memory_usage_bytes", o.memory_usage_bytes);
    v.always("memory_quota_bytes", o.memory_quota_bytes);
    v.omit("rx_bytes", o.rx_bytes);
    v.omit("tx_bytes", o.tx_bytes);
}

template <class V>
void describe(V& v, LrpMetrics& o) {
    v.always("instance_guid", o.instance_guid);
    v.always("process_guid", o.process_guid);
    v.always("index", o.index);
    describe(v, o.usage);
}

template <class V>
void describe(V& v, TaskMetrics& o) {
    v.always("task_guid", o.task_guid);
    describe(v, o.usage);
}

template <class V>
void describe(V& v, ContainerMetrics& o) {
    v.always("cell_id", o.cell_id);
    v.always("lrps", o.lrps);
    v.always("tasks", o.tasks);
}

BASE_JSON_DESCRIBED(Resources)
BASE_JSON_DESCRIBED(Lrp)
BASE_JSON_DESCRIBED(Task)
BASE_JSON_DESCRIBED(CellState)
BASE_JSON_DESCRIBED(Work)
BASE_JSON_DESCRIBED(LrpUpdate)
BASE_JSON_DESCRIBED(LrpMetrics)
BASE_JSON_DESCRIBED(TaskMetrics)
BASE_JSON_DESCRIBED(ContainerMetrics)

}  // namespace rep::api
