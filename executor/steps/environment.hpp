// What a process of a container finds in its environment and what it is called (executor-rep §5.3).
// Pure; used by the run step.
#pragma once

#include "executor/api/action.hpp"
#include "executor/steps/tools.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace executor {

// CF_INSTANCE_*: they win over everything.
std::vector<api::EnvironmentVariable> network_variables(const ContainerFacts& facts);

// "NAME=value": the container's, the action's, the network's; a later one replaces an earlier one
// in its place, as a name that stands twice means different things to different programs.
std::vector<std::string> process_environment(
        const ContainerFacts& facts, const std::vector<api::EnvironmentVariable>& action);

// A process id made of a place in the step tree: "run/0/1" is "run-0-1".
std::string process_id(std::string_view path);

}  // namespace executor
