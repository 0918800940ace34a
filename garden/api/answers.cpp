// JSON of what the server answers: capacity, info, metrics.
#include "base/json_describe.hpp"
#include "garden/api/types.hpp"

namespace garden::api {

namespace {

template <class V>
void describe(V& v, CreateAnswer& o) {
    v.always("Handle", o.handle);
}

template <class V>
void describe(V& v, ListAnswer& o) {
    v.always("Handles", o.handles);
}

template <class V>
void describe(V& v, NetInResponse& o) {
    v.omit("host_port", o.host_port);
    v.omit("container_port", o.container_port);
}

template <class V>
void describe(V& v, Capacity& o) {
    v.omit("memory_in_bytes", o.memory_in_bytes);
    v.omit("disk_in_bytes", o.disk_in_bytes);
    v.omit("schedulable_disk_in_bytes", o.schedulable_disk_in_bytes);
    v.omit("max_containers", o.max_containers);
}

template <class V>
void describe(V& v, PortMapping& o) {
    v.always("HostPort", o.host_port);
    v.always("ContainerPort", o.container_port);
}

template <class V>
void describe(V& v, ContainerInfo& o) {
    v.always("State", o.state);
    v.always("Events", o.events);
    v.always("HostIP", o.host_ip);
    v.always("ContainerIP", o.container_ip);
    v.always("ContainerIPv6", o.container_ipv6);
    v.always("ExternalIP", o.external_ip);
    v.always("ContainerPath", o.container_path);
    v.always("ProcessIDs", o.process_ids);
    v.always("Properties", o.properties);
    v.always("MappedPorts", o.mapped_ports);
}

template <class V>
void describe(V& v, MemoryStat& o) {
    v.always("active_anon", o.active_anon);
    v.always("active_file", o.active_file);
    v.always("cache", o.cache);
    v.always("hierarchical_memory_limit", o.hierarchical_memory_limit);
    v.always("inactive_anon", o.inactive_anon);
    v.always("inactive_file", o.inactive_file);
    v.always("mapped_file", o.mapped_file);
    v.always("pgfault", o.pgfault);
    v.always("pgmajfault", o.pgmajfault);
    v.always("pgpgin", o.pgpgin);
    v.always("pgpgout", o.pgpgout);
    v.always("rss", o.rss);
    v.always("total_active_anon", o.total_active_anon);
    v.always("total_active_file", o.total_active_file);
    v.always("total_cache", o.total_cache);
    v.always("total_inactive_anon", o.total_inactive_anon);
    v.always("total_inactive_file", o.total_inactive_file);
    v.always("total_mapped_file", o.total_mapped_file);
    v.always("total_pgfault", o.total_pgfault);
    v.always("total_pgmajfault", o.total_pgmajfault);
    v.always("total_pgpgin", o.total_pgpgin);
    v.always("total_pgpgout", o.total_pgpgout);
    v.always("total_rss", o.total_rss);
    v.always("total_unevictable", o.total_unevictable);
    v.always("unevictable", o.unevictable);
    v.always("swap", o.swap);
    v.always("hierarchical_memsw_limit", o.hierarchical_memsw_limit);
    v.always("total_swap", o.total_swap);
    v.always("TotalUsageTowardLimit", o.total_usage_toward_limit);  // no tag in Go: capitals
    v.always("anon", o.anon);
    v.always("file", o.file);
    v.always("swapcached", o.swapcached);
}

template <class V>
void describe(V& v, CpuStat& o) {
    v.always("Usage", o.usage);
    v.always("User", o.user);
    v.always("System", o.system);
}

template <class V>
void describe(V& v, DiskStat& o) {
    v.always("TotalBytesUsed", o.total_bytes_used);
    v.always("TotalInodesUsed", o.total_inodes_used);
    v.always("ExclusiveBytesUsed", o.exclusive_bytes_used);
    v.always("ExclusiveInodesUsed", o.exclusive_inodes_used);
}

template <class V>
void describe(V& v, NetworkStat& o) {
    v.always("RxBytes", o.rx_bytes);
    v.always("TxBytes", o.tx_bytes);
}

template <class V>
void describe(V& v, PidStat& o) {
    v.always("Current", o.current);
    v.always("Max", o.max);
}

template <class V>
void describe(V& v, Metrics& o) {
    v.always("MemoryStat", o.memory_stat);
    v.always("CPUStat", o.cpu_stat);
    v.always("DiskStat", o.disk_stat);
    v.always("NetworkStat", o.network_stat);
    v.always("PidStat", o.pid_stat);
    v.always("Age", o.age);
    v.always("CPUEntitlement", o.cpu_entitlement);
}

}  // namespace

BASE_JSON_DESCRIBED(CreateAnswer)
BASE_JSON_DESCRIBED(ListAnswer)
BASE_JSON_DESCRIBED(NetInResponse)
BASE_JSON_DESCRIBED(Capacity)
BASE_JSON_DESCRIBED(PortMapping)
BASE_JSON_DESCRIBED(ContainerInfo)
BASE_JSON_DESCRIBED(MemoryStat)
BASE_JSON_DESCRIBED(CpuStat)
BASE_JSON_DESCRIBED(DiskStat)
BASE_JSON_DESCRIBED(NetworkStat)
BASE_JSON_DESCRIBED(PidStat)
BASE_JSON_DESCRIBED(Metrics)

}  // namespace garden::api
