// The planner of a process in a container. Pure; used by garden/engine.
#pragma once

#include "base/result.hpp"
#include "garden/launch/plan.hpp"
#include "garden/plan/container_spec.hpp"
#include "garden/plan/facts.hpp"
#include "security/accounts.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace garden::plan {

struct ProcessInput {
    const ProcessSpec* spec = nullptr;
    const security::User* user = nullptr;  // resolved inside the container (ID-10)
    const std::vector<std::string>* image_env = nullptr;
    const std::vector<std::string>* container_env = nullptr;
    bool no_new_privileges = false;  // of the container
};

base::Result<launch::ProcessPlan> plan_process(
        const ProcessInput& input, const HostFacts& host, const ContainerFacts& container);

// A helper of the engine inside the container (copy in and out, MD-06): same class, no terminal,
// three descriptors.
struct HelperInput {
    std::string id;
    std::vector<std::string> argv;
    const security::User* user = nullptr;
    bool no_new_privileges = false;
};

// The descriptors of the message are, in order: program, stdin, stdout, stderr.
base::Result<launch::ProcessPlan> plan_helper(
        const HelperInput& input, const HostFacts& host, const ContainerFacts& container);

inline constexpr std::size_t kMaxCandidates = 128;  // directories of PATH that are looked at

// Where `program` may be: itself when it has a slash, else once per absolute directory of `path`
// (PL-11).
std::vector<std::string> candidates_of(std::string_view program, std::string_view path);

}  // namespace garden::plan
