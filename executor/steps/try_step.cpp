#include "executor/steps/basic_step.hpp"
#include "executor/steps/combinators.hpp"

namespace executor {

namespace {

class TryStep final : public WrapperStep {
  public:
    using WrapperStep::WrapperStep;

  protected:
    // The detail stays for our log; nothing of it is a user's business.
    void child_done(Outcome outcome) override {
        auto swallowed = Outcome::success();
        if (!outcome.good())
            swallowed.detail = outcome.detail.empty() ? outcome.message : outcome.detail;
        finish(std::move(swallowed));
    }
};

}  // namespace

std::unique_ptr<Step> attempt(Tools& tools, std::unique_ptr<Step> step) {
    return std::make_unique<TryStep>(tools.loop, std::move(step));
}

}  // namespace executor
