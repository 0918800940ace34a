// What the rules of tasks and their convergence have in common. Private to brain/model.
#pragma once

#include "brain/model/outcome.hpp"

namespace brain::model {

// The change and its event; created without `before`, removed without `after`.
void record(Outcome& out, TaskPtr before, TaskPtr after);
// COMPLETED, as of now; which cell it ran on is the caller's business (lifecycle §2).
void finish(
        api::Task& task,
        std::int64_t now,
        bool failed,
        std::string_view failure_reason,
        std::string result);
void call_back(Outcome& out, const TaskPtr& task);  // when it has an address

}  // namespace brain::model
