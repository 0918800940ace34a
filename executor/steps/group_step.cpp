// Parallel and codependent: one machine, three questions (what is an error, who is cancelled when).
#include "executor/steps/basic_step.hpp"
#include "executor/steps/combinators.hpp"

#include <algorithm>

namespace executor {

namespace {

struct Rules {
    bool error_on_exit = false;
    bool cancel_on_failure = false;
    bool cancel_on_exit = false;
};

class GroupStep final : public BasicStep {
  public:
    GroupStep(Tools& tools, Steps steps, Rules rules)
        : BasicStep(tools.loop),
          rules_(rules),
          steps_(std::move(steps)),
          settled_(steps_.size(), false),
          left_(steps_.size()) {}

  protected:
    void begin() override;

    void on_cancel() override { cancel_all(); }

  private:
    void cancel_all();
    void settle(std::size_t child);
    void child_done(std::size_t child, Outcome outcome);

    const Rules rules_;
    Steps steps_;
    std::vector<bool> settled_;  // ready, or ended well before it was
    std::size_t left_;
    std::vector<Outcome> outcomes_;  // in the order in which they came
};

void GroupStep::begin() {
    if (steps_.empty()) return finish(Outcome::success());
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        // Each is told, not left out: it may have to end what an earlier life began.
        if (cancelled()) steps_[i]->cancel();
        steps_[i]->start(
                {.ready = [this, i] { settle(i); },
                 .done = [this, i](Outcome outcome) { child_done(i, std::move(outcome)); }});
    }
}

void GroupStep::cancel_all() {
    for (auto& step : steps_)
        if (step) step->cancel();
}

void GroupStep::settle(std::size_t child) {
    settled_[child] = true;
    if (std::find(settled_.begin(), settled_.end(), false) == settled_.end()) ready();
}

void GroupStep::child_done(std::size_t child, Outcome outcome) {
    steps_[child].reset();
    --left_;
    // §5.11: who leaves first is to blame even when it left well; those who leave well after that
    // do as they are told.
    const bool blameless = std::all_of(
            outcomes_.begin(), outcomes_.end(), [](const Outcome& other) { return other.good(); });
    if (rules_.error_on_exit && outcome.good() && blameless)
        outcome = Outcome::failed("Codependent step exited");
    const bool good = outcome.good();
    outcomes_.push_back(std::move(outcome));
    if (left_ == 0) return finish(aggregate(outcomes_));
    if (good) settle(child);
    if (rules_.cancel_on_exit || (!good && rules_.cancel_on_failure)) cancel_all();
}

}  // namespace

std::unique_ptr<Step> parallel(Tools& tools, Steps steps) {
    return std::make_unique<GroupStep>(tools, std::move(steps), Rules{});
}

std::unique_ptr<Step> codependent(Tools& tools, Steps steps, Codependence how) {
    return std::make_unique<GroupStep>(
            tools, std::move(steps),
            Rules{.error_on_exit = how.error_on_exit,
                  .cancel_on_failure = true,
                  .cancel_on_exit = how.cancel_others_on_exit});
}

}  // namespace executor
