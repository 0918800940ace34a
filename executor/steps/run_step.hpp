// The step that runs a process (executor-rep §5.3) and sees it to its end, also over restarts. Made
// by make_step().
#pragma once

#include "executor/api/action.hpp"
#include "executor/steps/step.hpp"
#include "executor/steps/tools.hpp"

#include <memory>
#include <string>

namespace executor {

// `source`: the log source it inherits, the action's own wins; `path`: its place in the journal,
// also the process's name in the container.
std::unique_ptr<Step> make_run_step(
        const api::RunAction& action, Tools& tools, std::string source, std::string path);

}  // namespace executor
