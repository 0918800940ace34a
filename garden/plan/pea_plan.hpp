// The planner of a pea: a process with a root file system of its own (garden-api 10.6, PL-13).
// Pure; used by garden/engine.
#pragma once

#include "garden/plan/launch_plan.hpp"
#include "garden/plan/process_plan.hpp"

namespace garden::plan {

struct PeaInput {
    const ProcessSpec* spec = nullptr;
    const security::User* user = nullptr;  // resolved in the pea's image
    const std::vector<std::string>* image_env = nullptr;
    bool no_new_privileges = false;         // of the container
    std::vector<bool> bind_source_is_file;  // one per bind mount of the spec
};

struct PeaLaunch {
    launch::ProcessPlan process;
    std::vector<FdNeed> fds;  // position = FdIndex
};

base::Result<PeaLaunch> plan_pea(
        const PeaInput& input, const HostFacts& host, const ContainerFacts& container);

}  // namespace garden::plan
