#include "garden/plan/pea_plan.hpp"

namespace garden::plan {

namespace {

// Shared memory counts as memory, so a pea with a limit of its own needs no second one; with one
// that is empty it may have as much as the kernel gives to a tmpfs, half of all (garden-api 5.3).
void widen_shared_memory(launch::ViewPlan& view, std::uint64_t memory_bytes) {
    for (auto& mount : view.mounts) {
        if (mount.target != "/dev/shm") continue;
        mount.options = {"mode=1777"};
        if (memory_bytes != 0) mount.options.push_back("size=" + std::to_string(memory_bytes));
    }
}

}  // namespace

base::Result<PeaLaunch> plan_pea(
        const PeaInput& input, const HostFacts& host, const ContainerFacts& container) {
    const auto& spec = *input.spec;
    auto user = *input.user;
    user.groups.clear();  // garden-api 10.6
    PeaLaunch plan;
    plan.process = TRY(plan_process(
            {.spec = &spec,
             .user = &user,
             .image_env = input.image_env,
             .container_env = nullptr,
             .no_new_privileges = input.no_new_privileges},
            host, container));
    if (spec.dir.empty()) plan.process.cwd = "/";
    for (std::size_t i = 0; i < host.cgroup_hierarchies.size(); ++i) {
        plan.process.cgroups.push_back(static_cast<launch::FdIndex>(plan.fds.size()));
        plan.fds.push_back(
                {.kind = FdKind::cgroup, .name = host.cgroup_hierarchies[i], .index = i});
    }
    auto& pea = plan.process.pea.emplace();
    pea.own_cgroup_namespace = spec.limits.has_value();
    // The class, and so masks and devices, is the container's; the bind mounts are the process's.
    auto facts = container;
    facts.bind_source_is_file = input.bind_source_is_file;
    add_view(pea.view, plan.fds, spec.bind_mounts, host, facts);
    if (spec.limits) widen_shared_memory(pea.view, spec.limits->memory_bytes);
    return plan;
}

}  // namespace garden::plan
