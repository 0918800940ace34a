// Convergence as a pure planner (lifecycle §2.2, §5): what a process, a task or a lost cell needs
// so that the records come closer to what is desired. Works on views outside the lock; brain/core
// applies each plan only when the view is still true, and plans again otherwise.
#pragma once

#include "brain/model/outcome.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace brain::model {

// What a plan needs to know of the rest of the world.
struct Surroundings {
    std::set<std::string, std::less<>> cells;  // with a live lease
    std::set<std::string, std::less<>> fresh_domains;
    std::int64_t now = 0;
    // When the same was planned before (0: never). What waits for a place is offered again once an
    // interval, counted from its own last change, however often it is planned (lifecycle §5.3.6).
    std::int64_t previous = 0;
};

Surroundings survey(const World& world, std::int64_t now);

// Figures of a pass that only the planner knows (lifecycle §10).
struct Findings {
    std::size_t missing = 0, extra = 0;
    std::set<std::string, std::less<>> missing_cells;
};

// True when plan_process would do nothing: quick, for most of them.
bool in_harmony(const ProcessView& process, const Surroundings& around, const Limits& limits);

// All steps of lifecycle §5 for one process, with its corrections (§5.3): indices are compared, not
// counts. Reads the view and not `ctx.world`, which may go on changing.
Outcome plan_process(
        const Context& ctx,
        const ProcessView& process,
        const Surroundings& around,
        Findings& findings);

// lifecycle §2.2 for one task; an unplaceable one is offered again at most once a kick.
Outcome plan_task(const Context& ctx, const TaskPtr& task, const Surroundings& around);
Outcome plan_task(const Context& ctx, const api::Task& task, const Surroundings& around);  // copies

// lifecycle §5 step 1: an expired one goes.
Outcome plan_domain(const DomainPtr& domain, std::int64_t now);

// When plan_process or plan_task will next have something to do though nothing changes: the end of
// a back-off or of an expiry, ns since 1970. What was planned at `now` as an effect only (an offer,
// a stop, an update) comes again one interval later; a change that is still to be made is due now.
std::optional<std::int64_t> next_due(
        const ProcessView& process, const Surroundings& around, const Limits& limits);
std::optional<std::int64_t> next_due(
        const api::Task& task, const Limits& limits, std::int64_t now = 0);
std::optional<std::int64_t> next_due(const Domain& domain);

}  // namespace brain::model
