// Readiness (executor-rep §7.3): whether a running container takes requests. A wrapper around the
// long-lived part: it begins when that is ready, and never ends the container. Used by assemble().
#pragma once

#include "executor/steps/step.hpp"
#include "executor/steps/tools.hpp"

#include <memory>
#include <string>
#include <vector>

namespace executor {

std::unique_ptr<Step> with_readiness(
        Tools& tools,
        const std::vector<api::Check>& checks,
        std::string path,
        std::string source,
        std::unique_ptr<Step> step);

}  // namespace executor
