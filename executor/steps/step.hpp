// Step: the running form of an action. Lives on the Loop: started once, may become ready once, ends
// exactly once. Used by executor/steps, executor/fetch, executor/checks and executor/core.
//
//   made ── start() ──► running ── ready ──► running ── done(Outcome)
//                          └── cancel() asks; done(Outcome) still follows, exactly once
#pragma once

#include "executor/steps/outcome.hpp"

#include <functional>

namespace executor {

class Step {
  public:
    struct Listener {
        std::function<void()> ready;        // at most once, before done
        std::function<void(Outcome)> done;  // exactly once; the step may be destroyed inside
    };

    virtual ~Step() = default;
    // Never calls the listener before it returns: what is known at once is posted.
    virtual void start(Listener listener) = 0;
    // Idempotent; before start() too (then done(cancelled) follows the start). Returns at once.
    virtual void cancel() = 0;
};

}  // namespace executor
