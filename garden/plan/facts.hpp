// What the planner is told about the host and about one container, as plain values: it looks at
// nothing itself. Filled in by garden/engine (facts.cpp there), by hand in tests. Used by
// garden/plan.
#pragma once

#include "garden/plan/container_spec.hpp"
#include "security/classes.hpp"
#include "security/rlimits.hpp"
#include "security/seccomp.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace garden::plan {

// The daemon's host and configuration; the same for every container.
struct HostFacts {
    std::vector<std::string> cgroup_hierarchies;  // "memory", "cpu,cpuacct", "name=systemd"; cgroup
                                                  // v2 alone: "unified"
    std::uint64_t available_capabilities = ~std::uint64_t{0};  // CAP-02
    security::RlimitCeilings rlimits;
    std::map<std::string, std::string> sysctls;  // per network namespace, already allow-listed
    std::int32_t oom_score_adj = 0;              // PL-10: never below the daemon's
    std::set<std::string> absent_devices;  // "/dev/fuse": a class may have it, this host does not
    bool posix_message_queues = true;      // the kernel has mqueue
    bool garden_inheritable = false;       // compat.garden_inheritable (CAP-05)
    bool no_new_privileges = false;        // for every unprivileged container (NNP-01)
    std::string apparmor;                  // profile of unprivileged containers (D.8)
};

// compat.garden_id_mapping: the ids that all unprivileged containers of Garden share. Root is the
// highest id there is, every other one is itself.
inline constexpr std::uint32_t kGardenRootId = 4'294'967'294;
inline constexpr std::uint32_t kGardenIdLength = 4'294'967'294;

// What has been reserved for one container before it is planned.
struct ContainerFacts {
    security::Class container_class = security::Class::unprivileged;
    std::uint32_t id_base = 0;  // host id of container root; 0 without a user namespace
    std::uint32_t id_length = 0;
    bool garden_ids = false;  // id_base is kGardenRootId, and the range is not one of its own
    security::Filter filter;
    std::vector<bool> bind_source_is_file;  // one per bind mount of the spec
};

constexpr security::Class to_security(ContainerClass value) {
    switch (value) {
        case ContainerClass::unprivileged:
            return security::Class::unprivileged;
        case ContainerClass::privileged:
            return security::Class::privileged;
        case ContainerClass::privileged_in_userns:
            return security::Class::privileged_in_userns;
    }
    return security::Class::unprivileged;
}

// True when the class has a user namespace of its own (security-model §3).
constexpr bool has_user_namespace(security::Class value) {
    return value != security::Class::privileged;
}

}  // namespace garden::plan
