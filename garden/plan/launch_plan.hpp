// The planner of a container: what the shim shall do, and which descriptors it needs for it. Pure;
// used by garden/engine, printed by `cloche container plan`, pinned by golden files in
// tests/unit/plan.
#pragma once

#include "base/result.hpp"
#include "garden/launch/plan.hpp"
#include "garden/plan/container_spec.hpp"
#include "garden/plan/facts.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace garden::plan {

// What the engine opens for one descriptor of the plan; `index` orders those of one kind.
enum class FdKind : std::uint8_t {
    root,
    cgroup,       // the way in: what the first process writes itself to
    cgroup_view,  // the container's own group, as a detached mount
    device,
    bind_mount,
    hosts,
    resolv_conf,
    hostname
};

struct FdNeed {
    FdKind kind = FdKind::root;
    std::string name;       // hierarchy, device path or source path; for printing and for opening
    std::size_t index = 0;  // into ContainerSpec::bind_mounts, HostFacts::cgroup_hierarchies, …
};

struct LaunchPlan {
    launch::NamespacePlan namespaces;
    launch::ContainerPlan container;
    std::vector<FdNeed> fds;  // position = FdIndex
};

// The namespaces of a class; separate because the pool makes them before a container is known.
launch::NamespacePlan plan_namespaces(const ContainerFacts& container);

// The root, mounts, devices, links and masks of a container, or of a pea in it, added to a plan.
void add_view(
        launch::ViewPlan& view,
        std::vector<FdNeed>& fds,
        const std::vector<BindMountSpec>& bind_mounts,
        const HostFacts& host,
        const ContainerFacts& container);

LaunchPlan plan_container(
        const ContainerSpec& spec, const HostFacts& host, const ContainerFacts& container);

// What every process of the container is confined by; `uid` decides about capabilities (CAP-03).
base::Result<launch::Confinement> plan_confinement(
        const HostFacts& host,
        const ContainerFacts& container,
        bool no_new_privileges,
        std::uint32_t uid,
        const RlimitSpec& rlimits);

// The last 49 characters of the handle (garden-api 10.1): HOST_NAME_MAX less room for a domain.
std::string hostname_of(const Handle& handle);

}  // namespace garden::plan
