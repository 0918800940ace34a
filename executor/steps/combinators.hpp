// Steps made of steps (executor-rep §5.6 to §5.11). `path` is the step's place in the journal; the
// children have their own already. Used by make_step() and assemble().
#pragma once

#include "executor/steps/journal.hpp"
#include "executor/steps/step.hpp"
#include "executor/steps/tools.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace executor {

using Steps = std::vector<std::unique_ptr<Step>>;

// One after the other; the first failure ends it. Ready when the last child is.
std::unique_ptr<Step> serial(Tools& tools, std::string path, Steps steps);

// All at once, waits for all. Ready when every child is ready or has ended well.
std::unique_ptr<Step> parallel(Tools& tools, Steps steps);

struct Codependence {
    bool error_on_exit = true;           // the action: leaving is an error, even with success
    bool cancel_others_on_exit = false;  // also when the exit is no error
};

// All at once; the first failure cancels the others, and the whole ends when all have.
std::unique_ptr<Step> codependent(Tools& tools, Steps steps, Codependence how);

// `timeout` counts from the first begin in the journal: a restart of the daemon does not extend it.
std::unique_ptr<Step> timeout(
        Tools& tools,
        std::string path,
        std::chrono::nanoseconds timeout,
        std::unique_ptr<Step> step);

// Swallows the failure.
std::unique_ptr<Step> attempt(Tools& tools, std::unique_ptr<Step> step);

struct ProgressTexts {
    std::string start;
    std::string success;
    std::string failure_prefix;
};

// Says what happens; the outcome passes unchanged.
std::unique_ptr<Step> emit_progress(
        Tools& tools,
        std::string path,
        std::string source,
        ProgressTexts texts,
        std::unique_ptr<Step> step);

}  // namespace executor
