// The mounts of a container in their order (security-model §8.2). Part of the planner; used by
// launch_plan.cpp only.
#pragma once

#include "garden/plan/launch_plan.hpp"

namespace garden::plan {

void add_mounts(
        LaunchPlan& plan,
        const ContainerSpec& spec,
        const HostFacts& host,
        const ContainerFacts& container);

}  // namespace garden::plan
