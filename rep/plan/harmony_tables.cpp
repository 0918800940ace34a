// The tables themselves: which call a container makes, and what follows from each answer.
#include "rep/plan/harmony.hpp"
#include "rep/plan/identity.hpp"

#include <array>

namespace rep::plan {

using executor::api::State;

namespace {

// Columns: reserved, initializing, created, running, completed: stopped, completed: otherwise.
using Row = std::array<Call, 6>;

constexpr Row kLrp = {Call::claim, Call::claim,  Call::claim,
                      Call::start, Call::remove, Call::crash};
constexpr Row kLrpEvacuating = {Call::evacuate_claimed, Call::evacuate_claimed,
                                Call::evacuate_claimed, Call::evacuate_running,
                                Call::evacuate_stopped, Call::evacuate_crashed};
constexpr Row kTask = {Call::start_task, Call::start_task,  Call::start_task,
                       Call::start_task, Call::finish_task, Call::finish_task};

std::size_t column(const executor::api::Container& c) {
    switch (c.state) {
        case State::invalid:
        case State::reserved:
            return 0;
        case State::initializing:
            return 1;
        case State::created:
            return 2;
        case State::running:
            return 3;
        case State::completed:
            return c.run_result.stopped ? 4 : 5;
    }
    return 0;
}

// Columns: accepted, drop, not_found, refused, away. `run_` is "run if still reserved".
struct Line {
    Call call;
    std::array<Then, 5> then;
};

constexpr auto no = Then::nothing;
constexpr auto run = Then::run;
constexpr auto stop = Then::stop;
constexpr auto die = Then::destroy;
constexpr auto later = Then::retry;

constexpr std::array<Line, 11> kAfter = {{
        {Call::nothing, {no, no, no, no, no}},
        // No record: nobody wants the instance (table 17.4, column "none").
        {Call::claim, {run, run, die, die, later}},
        // A start makes the record it misses; refused: somebody else serves this index.
        {Call::start, {no, no, stop, stop, later}},
        // Completed: the brain has spoken, whatever it said. Away: its result is not lost.
        {Call::remove, {die, die, die, die, later}},
        {Call::crash, {die, die, die, die, later}},
        // Not running yet: nothing to keep, even when the brain is away (17.6).
        {Call::evacuate_claimed, {die, die, die, die, die}},
        // Serving: kept in doubt.
        {Call::evacuate_running, {no, die, die, later, later}},
        {Call::evacuate_stopped, {die, die, die, die, later}},
        {Call::evacuate_crashed, {die, die, die, die, later}},
        {Call::start_task, {run, run, die, die, later}},
        {Call::finish_task, {die, die, die, die, later}},
}};

}  // namespace

Call call_for(const executor::api::Container& container, bool evacuating) {
    switch (lifecycle_of(container)) {
        case Lifecycle::none:
            return Call::nothing;
        case Lifecycle::lrp:
            return (evacuating ? kLrpEvacuating : kLrp).at(column(container));
        case Lifecycle::task:
            return kTask.at(column(container));
    }
    return Call::nothing;
}

Then after(Call call, State state, Answer answer) {
    const auto& line = kAfter.at(static_cast<std::size_t>(call));
    const auto then = line.then.at(static_cast<std::size_t>(answer));
    // Only a reservation waits to be run. A task that "runs already" but is only reserved lost its
    // rep between start and run: it goes on (the gap of 17.5).
    if (then == Then::run && state != State::reserved) return Then::nothing;
    return then;
}

Answer answer_of(const base::Result<void>& result) {
    if (result) return Answer::accepted;
    const auto name = brain::api::error_name(result.error());
    if (name == brain::api::kResourceNotFound) return Answer::not_found;
    for (const auto refusal :
         {brain::api::kCannotBeClaimed, brain::api::kCannotBeStarted, brain::api::kCannotBeCrashed,
          brain::api::kCannotBeRemoved, brain::api::kInvalidStateTransition,
          brain::api::kRunningOnDifferentCell, brain::api::kInvalidRequest})
        if (name == refusal) return Answer::refused;
    return Answer::away;
}

Answer answer_of(const base::Result<bool>& keep) {
    if (keep) return *keep ? Answer::accepted : Answer::drop;
    return answer_of(base::Result<void>(keep.error()));
}

}  // namespace rep::plan
