// What an audit compares: Expected from the engine's own record and plan, Outside as the host sees
// the container, Inside as a probe of the container's class sees it. Plain values; collected by
// collect_*.cpp and garden/engine/audit.cpp, judged by checks_*.cpp, made by hand in tests.
#pragma once

#include "base/sys/inspect.hpp"
#include "garden/cgroup/cgroup.hpp"
#include "garden/launch/plan.hpp"
#include "garden/net/network.hpp"
#include "garden/plan/launch_plan.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace garden::audit {

inline constexpr std::size_t kMaxProcesses = 512;    // looked at, of one container
inline constexpr std::size_t kMaxDescriptors = 512;  // looked at, of one process

// What the record, the plan and the configuration say the container is.
struct Expected {
    std::string handle;
    security::Class container_class = security::Class::unprivileged;
    ContainerSpec spec;
    plan::HostFacts host;
    std::uint32_t id_base = 0;
    std::uint32_t id_length = 0;
    plan::LaunchPlan plan;
    launch::Confinement user;  // of a process that is not root (CAP-03)
    cgroup::Limits limits;
    std::vector<std::string> device_rules;  // as the v1 file shows them
    std::string filter_hash;
    std::optional<net::Lease> lease;
    std::string network_tag;
    std::uint64_t out_rules = 0;  // rules that its security groups come to
    bool no_new_privileges = false;
    bool garden_inheritable = false;
    bool garden_id_mapping = false;
    bool garden_ids = false;  // of this container: it shares Garden's one range with all others
    bool peas = false;        // processes with a mount namespace and a group of their own (PL-13)
    bool shared_subnets = false;  // containers of one subnet reach each other
    bool allow_host_access = false;
    bool egress_deny = false;     // NET-06: only what its rules allow
    bool network_plugin = false;  // somebody else's network: its rules are not ours
    bool image_plugin = false;    // somebody else's root file system
    bool swap_limit = true;
    std::string cgroup;  // "garden-<tag>/<handle>"

    bool user_namespace() const { return plan::has_user_namespace(container_class); }

    bool unprivileged() const { return container_class == security::Class::unprivileged; }
};

struct Descriptor {
    int number = 0;
    std::string target;
    bool foreign = false;  // a file of a mount that the process's mount namespace does not have
};

struct ProcessView {
    std::int32_t pid = 0;
    std::uint64_t start_time = 0;
    std::string name;
    bool init = false;
    std::vector<std::uint32_t> uids, gids, groups;
    launch::CapabilitySets capabilities;
    int seccomp = -1;
    std::uint64_t filters = 0;
    bool no_new_privileges = false;
    std::uint32_t umask = 0;
    std::uint64_t blocked = 0, ignored = 0;           // signal masks
    std::map<std::string, std::uint64_t> namespaces;  // "mnt" -> inode
    std::vector<launch::IdMapping> uid_map, gid_map;
    std::vector<launch::Rlimit> limits;
    int oom_score_adj = 0;
    int policy = 0;
    std::vector<Descriptor> descriptors;
    std::optional<base::sys::FileId> program;
    std::string program_path;
    std::map<std::string, std::string> cgroups;  // "memory" or "" (v2) -> path
    std::vector<std::string> environment;        // names
};

struct MountView {
    std::uint64_t id = 0;
    std::string device;  // "0:52"
    std::string root;
    std::string target;
    std::set<std::string> flags;  // ro, nosuid, nodev, noexec
    bool shared = false;          // peers: what happens here is seen elsewhere
    std::string type;
    std::string source;
    std::set<std::string> options;  // of the file system: size=64k, upperdir=…
};

struct CgroupView {
    bool present = false;
    std::string devices;            // devices.list of v1
    std::string notify_on_release;  // of v1
    bool root = false;              // the hierarchy's root group: nothing limits it
};

struct RuleView {
    std::string chain;
    std::vector<std::string>
            words;  // "lookup bound4", "jump spoof", "accept", "counter", "meta", …

    bool has(std::string_view word) const;
};

struct NetworkView {
    std::vector<RuleView> rules;  // of both families, in order
    std::vector<RuleView> device_rules;
    std::set<std::string> chains;  // of family inet
    std::set<std::string> device_chains;
    bool egress_element = false;   // the source address leads to the container's chain
    bool nobody_refused = false;   // a source address of no container leads to "nobody"
    std::uint64_t allowances = 0;  // elements of the container's own sets
    bool bound_element = false;    // interface, MAC and address are bound together
    bool host_link = false;
    std::map<std::string, std::string> sysctls;  // of the host's end: "ipv4/rp_filter" -> "1"
};

// How the host sees the container and what it compares it with.
struct Outside {
    std::map<std::string, std::uint64_t> daemon_namespaces;
    std::map<base::sys::FileId, std::string> engine_programs;
    std::set<std::string> daemon_environment;  // names that only a daemon has
    int daemon_oom_score_adj = 0;
    std::vector<ProcessView> processes;  // garden-init first
    bool truncated = false;              // more than kMaxProcesses
    std::optional<std::uint32_t> user_namespace_owner;
    std::vector<MountView> mounts;
    std::set<std::string>
            present;  // of the masked and read-only paths: what this host's kernel has
    // Planned target, mask or read-only path -> the mount that it leads to inside, links followed.
    std::map<std::string, std::uint64_t> reached;
    std::map<std::string, CgroupView> cgroups;
    cgroup::Limits limits;
    std::string device_tag;                // of the program that the plan means
    std::vector<std::string> device_tags;  // attached to the group
    std::optional<NetworkView> network;
    std::string stored_filter;  // first line of what is kept of the filter (SC-10)
    bool keys_of_range = false;
    std::map<std::string, std::string> problems;  // part -> why it could not be looked at

    const ProcessView* init() const;
    const MountView* mount(std::uint64_t id) const;
    const MountView* reach(const std::string& path) const;
};

struct Try {
    int error = 0;
    std::string detail;
};

// What the probe saw and tried.
struct Inside {
    std::map<std::string, Try> reads, writes, texts, calls, self;
    std::vector<Descriptor> descriptors;
    std::vector<std::string> environment, links;
    std::map<std::string, std::string> nodes;  // "/dev/null" -> "c 1:3"
    std::size_t pids = 0;
    ProcessView process;  // of root
    std::vector<MountView> mounts;
    std::optional<ProcessView> user;  // of a process that is not root
    std::int64_t took_ms = 0;
};

// Everything of one container.
struct Evidence {
    Expected expected;
    Outside outside;
    std::optional<Inside> inside;
    std::string inside_problem;
};

// The host as preflight looks at it (sections 2, 14 and 17).
struct HostView {
    std::map<std::string, std::string> sysctls;  // "kernel.core_pattern" -> text; absent: not there
    std::set<std::string> features;              // "user_namespaces", "seccomp", "memory", …
    std::vector<std::string> accounts_in_range;
    std::vector<std::string> subordinates_in_range;

    struct Place {
        std::string path;
        bool there = false;
        std::uint32_t mode = 0, uid = 0;
        bool nosuid = false, nodev = false;
    };

    Place store, state;
    std::vector<Place> sockets, socket_directories;
    std::vector<std::string> plain_tcp;  // endpoints without TLS outside loopback
    std::uint64_t daemon_bounding = 0;
    bool allow_privileged = true;
    std::string image_policy;              // the file; "" without one (IMG-40)
    std::vector<std::string> relaxations;  // switches of the daemon in force
    std::map<std::string, std::string> problems;
};

}  // namespace garden::audit
