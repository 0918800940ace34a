// What garden-shim is told to do: plain values, flat on the wire (codec.hpp), printable as JSON
// (garden/plan). Written by garden/plan, carried out by garden/launch. No pointer, no descriptor: a
// plan names descriptors by index.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace garden::launch {

struct IdMapping {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 0;
};

// Which descriptor of the message a step uses; kNoFd where it uses none.
using FdIndex = std::int32_t;
inline constexpr FdIndex kNoFd = -1;

// Capability sets of one process, bit n = capability n (security/capabilities.hpp makes them).
struct CapabilitySets {
    std::uint64_t bounding = 0;
    std::uint64_t permitted = 0;
    std::uint64_t effective = 0;
    std::uint64_t inheritable = 0;
    std::uint64_t ambient = 0;
};

struct Rlimit {
    std::int32_t resource = 0;  // RLIMIT_* of this architecture
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

// What every program that enters the container is confined by (class of the container; CL-01,
// PL-12).
struct Confinement {
    CapabilitySets capabilities;
    bool no_new_privileges = false;
    std::string seccomp;       // struct sock_filter[], native byte order; empty = no filter
    bool seccomp_log = false;  // SECCOMP_FILTER_FLAG_LOG (SC-08)
    std::vector<Rlimit> rlimits;
    std::int32_t oom_score_adj = 0;
};

enum class MountKind : std::uint8_t {
    attach,  // move_mount of the detached mount `fd` (root file system, bind mounts, /etc files)
    tmpfs,
    proc,
    sysfs,
    devpts,
    mqueue,
};

struct Mount {
    MountKind kind = MountKind::attach;
    std::string target;  // absolute path inside the container; created when missing (MD-03)
    FdIndex fd = kNoFd;
    std::uint64_t attributes = 0;      // MOUNT_ATTR_* of <linux/mount.h>
    std::vector<std::string> options;  // "key=value" or "flag" for fsconfig
    bool target_is_file = false;       // what to create when the target is missing
};

struct DeviceNode {
    std::string path;  // below /dev
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t mode = 0666;
    FdIndex fd = kNoFd;  // user namespaces: a detached mount of a verified host node (DEV-01); else
                         // mknod
};

struct Link {
    std::string path;
    std::string target;
};

struct Sysctl {
    std::string name;  // path below /proc/sys, "net/ipv4/ping_group_range"
    std::string value;
    bool required = true;  // false: absent in this kernel is fine
};

// The namespaces of a container: made by `Prepare`, ahead of the container when pooled.
struct NamespacePlan {
    bool user = true;
    bool network = true;  // false: stay in the daemon's (host network; audited)
    bool time = false;
    std::vector<IdMapping> uids;  // empty without a user namespace
    std::vector<IdMapping> gids;
    std::uint32_t owner_uid = 0;  // host ids that own the user namespace (ID-07)
    std::uint32_t owner_gid = 0;
};

// What the file system of a container is built from, and that of a pea in the same way.
struct ViewPlan {
    FdIndex root = kNoFd;  // detached mount of the root file system
    std::uint64_t root_attributes = 0;
    std::vector<Mount>
            mounts;  // in order, after the root is bound, before pivot_root's old root is gone
    std::vector<DeviceNode> devices;
    std::vector<Link> links;
    std::vector<std::string>
            masked;  // absent paths are skipped, existing ones must be masked (8.3)
    std::vector<std::string> read_only;
    std::vector<Sysctl> sysctls;
    std::vector<Sysctl> ceilings;  // user.max_* inside the user namespace (ID-08)
};

struct ContainerPlan : ViewPlan {
    std::string handle;
    std::string hostname;
    std::vector<FdIndex> cgroups;  // cgroup.procs (v2) or tasks (v1) files, opened for writing:
                                   // each child writes "0"
    Confinement init;              // garden-init runs under the class as well
    bool keyring = true;           // a session keyring of its own (PL-05)
    // AppArmor profile of garden-init and of every process and pea after it; "": none (D.8)
    std::string apparmor;
    bool lock_mounts = false;  // FS-12: for whoever may mount inside; holds for its peas too
};

// What makes a process a pea: a mount namespace of its own with a root of its own (PL-13).
struct PeaPlan {
    ViewPlan view;                      // without sysctls and ceilings: those are the container's
    bool own_cgroup_namespace = false;  // its group is not below the container's
};

enum class Stdio : std::uint8_t { pipes, terminal, descriptors };

struct ProcessPlan {
    std::string id;
    std::vector<std::string> argv;  // argv[0] is shown; `candidates` are executed
    std::vector<std::string>
            candidates;  // absolute paths to try in order (PATH search inside the container, PL-11)
    std::vector<std::string> env;
    std::string cwd =
            "/";  // created when missing, new components owned by the user (garden-api 10.3)
    bool create_cwd = true;
    std::uint32_t uid = 0;  // ids inside the container
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
    Confinement confinement;
    std::uint32_t umask = 022;
    Stdio stdio = Stdio::pipes;
    FdIndex exec = kNoFd;  // execute this sealed memory file instead of `candidates` (copy helper,
                           // probe; PL-03)
    FdIndex stdin_fd = kNoFd;  // Stdio::descriptors only
    FdIndex stdout_fd = kNoFd;
    FdIndex stderr_fd = kNoFd;
    std::vector<FdIndex> cgroups;  // empty: the container's
    std::uint16_t columns = 80;
    std::uint16_t rows = 24;
    bool internal = false;  // a helper of the engine: not listed as a process, not kept after exit
    std::optional<PeaPlan> pea;
};

}  // namespace garden::launch
