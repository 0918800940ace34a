// BasicStep: the contract of Step kept in one place: begins on the loop, is ready once, ends once,
// tells its listener only from a job of its own. Base of every step of this folder.
#pragma once

#include "executor/loop/loop.hpp"
#include "executor/steps/step.hpp"

#include <memory>
#include <utility>

namespace executor {

class BasicStep : public Step {
  public:
    explicit BasicStep(Loop& loop) : loop_(loop) {}

    BasicStep(const BasicStep&) = delete;
    BasicStep& operator=(const BasicStep&) = delete;

    void start(Listener listener) final;
    void cancel() final;

  protected:
    // Once, on the loop. A cancel may have come already (cancelled()): what an earlier life of the
    // daemon began has to be ended all the same, so each step decides itself.
    virtual void begin() = 0;
    // Once, after begin() and before finish().
    virtual void on_cancel() = 0;

    void ready();
    void finish(Outcome outcome);

    bool cancelled() const { return cancelled_; }

    bool over() const { return over_; }

    Loop& loop() { return loop_; }

    // `job`, or nothing at all when this step is gone by then. For timers, posts and answers that
    // come from elsewhere; children's listeners need none (a child dies with its parent).
    template <class F>
    auto guarded(F job) {
        return [alive = std::weak_ptr<char>(alive_),
                job = std::move(job)](auto&&... arguments) mutable {
            if (!alive.expired()) job(std::forward<decltype(arguments)>(arguments)...);
        };
    }

  private:
    Loop& loop_;
    Listener listener_;
    std::shared_ptr<char> alive_ = std::make_shared<char>();  // one owner; others look whether
    bool begun_ = false;
    bool cancelled_ = false;
    bool ready_ = false;
    bool over_ = false;
};

// A step around one other: passes on its readiness, a cancel and, unless changed, its outcome.
class WrapperStep : public BasicStep {
  public:
    WrapperStep(Loop& loop, std::unique_ptr<Step> child)
        : BasicStep(loop), child_(std::move(child)) {}

  protected:
    void begin() override { start_child(); }

    void on_cancel() override { cancel_child(); }

    virtual void child_ready() { ready(); }

    virtual void child_done(Outcome outcome) { finish(std::move(outcome)); }

    void start_child();

    void cancel_child() { child_->cancel(); }

  private:
    std::unique_ptr<Step> child_;
};

}  // namespace executor
