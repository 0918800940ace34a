// The container engine: every operation of the Garden API as a blocking call. Used by
// garden/server; owned by gardend's main. Safe from any thread; one operation per handle at a time,
// operations on different handles never wait for each other.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/audit/report.hpp"
#include "garden/cgroup/cgroup.hpp"
#include "garden/engine/explain.hpp"
#include "garden/engine/image_plugin.hpp"
#include "garden/engine/network_plugin.hpp"
#include "garden/net/network.hpp"
#include "garden/plan/container_spec.hpp"
#include "rootfs/images.hpp"
#include "rootfs/volumes.hpp"
#include "security/denials.hpp"
#include "security/devices.hpp"
#include "security/event_log.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace garden {

// garden-api §3: the error types of the wire. The engine says which by Errc and these texts;
// garden/server maps them. not_found "unknown handle: H" / "unknown process: P"; already_exists
// "Handle 'H' already in use"; …

struct EngineConfig {
    std::string state_directory;    // depot, id ranges: "/run/cloche" style; tmpfs is fine
                                    // (containers die with the host)
    std::string store_directory;    // images and volumes: "/var/lib/cloche"
    std::string program_directory;  // garden-shim, garden-init, garden-copy, rootfs-unpack
    std::string tag;                // cgroup parent garden-<tag>, interface names
    std::string default_rootfs;
    std::chrono::nanoseconds default_grace_time{0};
    std::uint64_t max_containers = 0;  // 0 = by the network pool
    bool allow_privileged = true;      // CL-02
    bool destroy_on_start = false;
    bool no_new_privileges = false;
    std::string apparmor;  // profile of unprivileged containers; "": none
    bool swap_limit = true;
    bool garden_inheritable = false;  // compat.garden_inheritable
    bool garden_id_mapping = false;   // compat.garden_id_mapping (ID-02)
    std::uint64_t cpu_quota_per_share = 0;
    double cpu_entitlement_per_share = 0;  // 0 = 100 * cores / memory MiB
    std::uint32_t blockio_weight = 0;      // of every container, 10 to 1000; 0 = the kernel's
    std::vector<security::DeviceRule> privileged_devices;  // besides those of the class (DEV-05)
    std::uint32_t pool_size = 8;  // prepared shims with namespaces and addresses; 0 = none
    std::uint32_t parallel_creates = 8;
    std::string external_ip;
    net::Config network;
    rootfs::ImagesConfig images;
    NetworkPluginConfig network_plugin;           // instead of `network`
    ImagePluginConfig image_plugin;               // instead of `images`, but for raw:// directories
    std::string host_network = "/proc/1/ns/net";  // where the kernel sends audit records
    std::vector<std::string> api_endpoints;       // where the API is served, for the audit
    std::string quota_driver = "auto";  // auto, none, xfs, btrfs, loop: rootfs::choose_quota
    std::map<std::string, std::string>
            sysctls;  // per network namespace, allow-listed (security-model §10)
};

struct MappedPort {
    std::uint32_t host_port = 0;
    std::uint32_t container_port = 0;
};

struct ContainerInfo {  // garden-api 5.7
    std::string state;  // "active" or "stopped"
    std::vector<std::string> events;
    std::string host_ip, container_ip, container_ipv6, external_ip, container_path;
    std::vector<std::string> process_ids;
    std::map<std::string, std::string> properties;
    std::vector<MappedPort> mapped_ports;
};

struct ContainerMetrics {  // garden-api 5.8
    cgroup::Metrics cgroup;
    rootfs::Usage disk;
    std::optional<net::Counters> network;
    std::chrono::nanoseconds age{0};
    std::uint64_t cpu_entitlement = 0;
};

struct Capacity {
    std::uint64_t memory_bytes = 0, disk_bytes = 0, schedulable_disk_bytes = 0, max_containers = 0;
};

// A running view on a process for one client (a Run or an Attach call).
struct Attachment {
    std::string process_id;
    std::uint64_t id = 0;  // for connect_output, close_input, detach
    base::Fd input;        // stdin of the process
    bool terminal = false;
};

struct ProcessRow {
    std::string id;
    std::string user;
    std::vector<std::string> argv;
    bool exited = false;
    std::int32_t exit_code = 0;
    std::int32_t host_pid = 0;
};

// What the reader of audit records saw on this host since gardend started (SC-20).
struct DenialFigures {
    bool available = false;
    std::string why;               // not available, or not complete
    std::uint64_t denials = 0;     // given to a container
    std::uint64_t suppressed = 0;  // over the rate of their container; part of `denials`
    std::uint64_t foreign = 0;     // of processes that are in no container of ours
    std::uint64_t unresolved = 0;  // whose container could not be told any more; not guessed
    std::uint64_t lost = 0;        // that the kernel dropped before we read them, at least
    std::uint64_t unreadable = 0;
};

struct ContainerDenials {
    security::DenialReport report;
    std::int64_t since_ns = 0;  // of the container, or of gardend when that is younger
    DenialFigures host;
};

// A finding of doctor: a kernel object or directory without an owner, or a record without its
// resources.
struct Orphan {
    std::string kind;  // "cgroup", "mount", "interface", "nft", "volume", "id-range", "process",
                       // "bundle"
    std::string name;
    std::string reason;
};

// What a client wants changed of a living container's limits; what is not given stays. 0 takes a
// limit away.
struct LimitsChange {
    struct Cpu {
        std::uint64_t weight = 0, shares = 0;
    };

    struct Disk {
        std::uint64_t bytes = 0;
        DiskScope scope = DiskScope::total;
    };

    std::optional<std::uint64_t> memory_bytes;
    std::optional<Cpu> cpu;
    std::optional<Disk> disk;
    std::optional<std::uint64_t> pids;
};

class Engine {
  public:
    static base::Result<std::unique_ptr<Engine>> start(
            EngineConfig config);  // recovers before it returns
    virtual ~Engine() = default;   // containers stay

    virtual base::Result<Handle> create(
            ContainerSpec spec, const std::function<void(const rootfs::Progress&)>& progress) = 0;
    virtual base::Result<void> destroy(const Handle& handle) = 0;
    virtual std::vector<Handle> list(
            const std::map<std::string, std::string>& property_filter) = 0;  // garden-api §6 List
    virtual base::Result<ContainerInfo> info(const Handle& handle) = 0;
    virtual base::Result<ContainerMetrics> metrics(const Handle& handle) = 0;
    // Of a running pea, by the id of its process; "unknown handle: …" when there is none.
    virtual base::Result<ContainerMetrics> process_metrics(const std::string& process_id) = 0;
    virtual base::Result<LimitsSpec> limits(
            const Handle& handle) = 0;  // cpu: converted, in cpu_shares
    // All of it or nothing; answers as limits().
    virtual base::Result<LimitsSpec> change_limits(
            const Handle& handle, const LimitsChange& change) = 0;
    virtual base::Result<void> stop(const Handle& handle, bool kill) = 0;
    virtual base::Result<void> set_grace_time(
            const Handle& handle, std::chrono::nanoseconds time) = 0;
    // Pauses the grace-time countdown while the returned value lives (garden-api §9). Null for an
    // unknown handle.
    virtual std::shared_ptr<void> touch(const Handle& handle) = 0;

    // Allows the container to reach more, at once (garden-api §6 NetOut).
    virtual base::Result<void> net_out(const Handle& handle, std::vector<OutRuleSpec> rules) = 0;
    // These rules instead of all it has, atomically; flows that they no longer allow end.
    virtual base::Result<void> replace_out_rules(
            const Handle& handle, std::vector<OutRuleSpec> rules) = 0;
    virtual base::Result<std::vector<OutRuleSpec>> out_rules(const Handle& handle) = 0;
    // Lets a port of the external address lead to the container (garden-api §6 NetIn).
    virtual base::Result<MappedPort> net_in(
            const Handle& handle, std::uint32_t host_port, std::uint32_t container_port) = 0;
    // Bytes per second of each direction, and bytes at once; a rate of 0 takes the limit away.
    virtual base::Result<void> limit_bandwidth(
            const Handle& handle, std::uint64_t rate, std::uint64_t burst) = 0;

    virtual base::Result<std::map<std::string, std::string>> properties(const Handle& handle) = 0;
    virtual base::Result<std::string> property(const Handle& handle, const std::string& name) = 0;
    virtual base::Result<void> set_property(
            const Handle& handle, const std::string& name, const std::string& value) = 0;
    virtual base::Result<void> remove_property(const Handle& handle, const std::string& name) = 0;

    virtual base::Result<Attachment> run(const Handle& handle, ProcessSpec spec) = 0;
    virtual base::Result<Attachment> attach(
            const Handle& handle, const std::string& process_id) = 0;
    virtual base::Result<void> connect_output(
            const Handle& handle, std::uint64_t attachment, bool is_stderr, base::FdRef sink) = 0;
    virtual base::Result<void> close_input(const Handle& handle, std::uint64_t attachment) = 0;
    virtual base::Result<void> detach(const Handle& handle, std::uint64_t attachment) = 0;
    virtual base::Result<void> signal(
            const Handle& handle, const std::string& process_id, int number) = 0;
    virtual base::Result<void> resize(
            const Handle& handle, const std::string& process_id, WindowSize size) = 0;
    // Calls `done` once, from any thread, with the exit code, or an error when the process or its
    // container is gone.
    virtual void wait(
            const Handle& handle,
            const std::string& process_id,
            std::function<void(base::Result<std::int32_t>)> done) = 0;
    virtual base::Result<std::vector<ProcessRow>> processes(const Handle& handle) = 0;
    // The retained end of a process's output (64 KiB at most), also after its exit.
    virtual base::Result<std::string> logs(
            const Handle& handle, const std::string& process_id, bool is_stderr) = 0;

    // `tar`: a pipe or socket with the archive; read to its end. Blocking: run on its own worker.
    virtual base::Result<void> stream_in(
            const Handle& handle,
            const std::string& user,
            const std::string& destination,
            base::FdRef tar) = 0;

    // Checks the source first; then the archive can be read from the returned pipe. `finish` waits
    // for the helper.
    struct Outgoing {
        base::Fd tar;
        std::function<base::Result<void>()> finish;
    };

    virtual base::Result<Outgoing> stream_out(
            const Handle& handle, const std::string& user, const std::string& source) = 0;

    // System calls that the filter refused in this container (SC-21).
    virtual base::Result<ContainerDenials> denials(const Handle& handle) = 0;
    virtual DenialFigures denial_figures() = 0;
    // What was decided and relaxed, by whom (OBS-04). Never null; lives as long as the engine.
    virtual security::EventLog& events() = 0;

    // What the network counted and logged for this container (NET-07); of connections those that
    // changed after `after`.
    virtual base::Result<net::Evidence> connections(const Handle& handle, std::uint64_t after) = 0;
    // Until a connection of any container is logged after `after`, or for `patience`.
    virtual void wait_for_connections(std::uint64_t after, std::chrono::milliseconds patience) = 0;
    // Why something is refused in this container, by which layer and rule, and what would change
    // it.
    virtual base::Result<ExplainReport> explain(
            const Handle& handle, const ExplainRequest& request) = 0;
    // Whether the kernel's rules are ours (NET-15).
    virtual base::Result<net::Integrity> network() = 0;

    virtual base::Result<Capacity> capacity() = 0;
    virtual base::Result<void> ping() = 0;
    virtual base::Result<std::string> plan_json(
            ContainerSpec spec) = 0;  // what create would do; changes nothing
    virtual base::Result<std::vector<Orphan>> doctor() = 0;  // finds, does not mend
    // Compares a container with its record, from outside and from inside; finds, does not mend
    // (OBS-01). Bounded in time as long as the container's shim answers.
    virtual base::Result<audit::ContainerAudit> audit(const Handle& handle) = 0;
    virtual api::AuditSubject audit_host() = 0;
    // Destroys every container and takes down what the engine made on this host: pool, network,
    // cgroup parents. Images stay. The last call: nothing else may be called after it (`gardend
    // cleanup`).
    virtual base::Result<void> tear_down() = 0;
    // Pulls that are at work, or begin from now on, fail soon; what they fetched is kept for the
    // next attempt. For the end of the daemon.
    virtual void cancel_pulls() = 0;
    virtual rootfs::Images& images() = 0;
    virtual base::Result<std::string> features_json() = 0;  // probed kernel features and drivers
};

}  // namespace garden
