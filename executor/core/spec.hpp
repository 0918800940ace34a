// From the executor's words to Garden's: what a container is created with (executor-rep §4.3 step
// 8). Pure. Used by the creation of containers.
#pragma once

#include "executor/api/types.hpp"
#include "executor/core/settings.hpp"
#include "garden/api/types.hpp"

#include <string>
#include <vector>

namespace executor {

struct Mounts {  // made by earlier steps of the creation: host paths
    std::vector<garden::api::BindMount> binds;
    std::vector<api::EnvironmentVariable> environment;  // that goes with them
};

garden::api::ContainerSpec plan_container(
        const api::Container& container, const Settings& settings, const Mounts& mounts);

// Rules were validated (executor/api/validate); destinations are split at commas.
std::vector<garden::api::NetOutRule> net_out_rules(const std::vector<api::EgressRule>& rules);

}  // namespace executor
