#include "executor/steps/basic_step.hpp"
#include "executor/steps/combinators.hpp"
#include "executor/steps/duration.hpp"

namespace executor {

namespace {

class TimeoutStep final : public WrapperStep {
  public:
    TimeoutStep(
            Tools& tools,
            std::string path,
            std::chrono::nanoseconds timeout,
            std::unique_ptr<Step> child)
        : WrapperStep(tools.loop, std::move(child)),
          journal_(tools.journal),
          path_(std::move(path)),
          timeout_(timeout) {}

    ~TimeoutStep() override { loop().cancel(timer_); }

    TimeoutStep(const TimeoutStep&) = delete;
    TimeoutStep& operator=(const TimeoutStep&) = delete;

  protected:
    void begin() override;
    void child_done(Outcome outcome) override;

  private:
    void expire();
    void conclude(Outcome outcome);

    Journal& journal_;
    const std::string path_;
    const std::chrono::nanoseconds timeout_;
    Loop::TimerId timer_ = 0;
    bool expired_ = false;
};

void TimeoutStep::begin() {
    // What ended in time in an earlier life has, although its deadline is over by now.
    if (auto outcome = journal_.finished(path_)) return finish(std::move(*outcome));
    // A cancel begins nothing; what was begun keeps its deadline.
    if (!cancelled()) journal_.begin(path_);
    const auto begun = journal_.begun(path_);
    start_child();
    if (!begun) return;
    // Its child may have ended because of it in an earlier life: then that is what happened.
    if (journal_.begun(path_ + "/expired")) return expire();
    const auto passed = loop().clock().wall() - *begun;
    timer_ = loop().after(timeout_ - passed, [this] { expire(); });
}

void TimeoutStep::expire() {
    timer_ = 0;
    expired_ = true;
    journal_.begin(path_ + "/expired");
    cancel_child();
}

void TimeoutStep::child_done(Outcome outcome) {
    loop().cancel(timer_);
    timer_ = 0;
    if (!expired_) return conclude(std::move(outcome));
    auto message = "exceeded " + to_go_text(timeout_) + " timeout";
    if (!outcome.good() && !outcome.hidden() && !outcome.message.empty())
        message += "; " + outcome.message;
    auto whole = Outcome::failed(std::move(message), std::move(outcome.detail));
    // The process that would not go is counted whoever wanted it gone (executor-rep §4.5).
    if (outcome.kind == Outcome::Kind::exit_timeout) whole.kind = outcome.kind;
    conclude(std::move(whole));
}

void TimeoutStep::conclude(Outcome outcome) {
    journal_.finish(path_, outcome);
    finish(std::move(outcome));
}

}  // namespace

std::unique_ptr<Step> timeout(
        Tools& tools,
        std::string path,
        std::chrono::nanoseconds timeout,
        std::unique_ptr<Step> step) {
    return std::make_unique<TimeoutStep>(tools, std::move(path), timeout, std::move(step));
}

}  // namespace executor
