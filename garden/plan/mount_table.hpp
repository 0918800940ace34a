// The mounts of a container or a pea in their order (security-model §8.2). Part of the planner;
// used by launch_plan.cpp only.
#pragma once

#include "garden/plan/launch_plan.hpp"

namespace garden::plan {

void add_mounts(
        launch::ViewPlan& view,
        std::vector<FdNeed>& fds,
        const std::vector<BindMountSpec>& bind_mounts,
        const HostFacts& host,
        const ContainerFacts& container);

}  // namespace garden::plan
