// Health by probes from the host (executor-rep §7.2).
#include "executor/steps/check_set.hpp"
#include "executor/steps/health_step.hpp"

namespace executor {

namespace {

class CheckStep final : public HealthStep {
  public:
    CheckStep(const std::vector<api::Check>& checks, Tools& tools, HealthOptions options)
        : HealthStep(tools, std::move(options)),
          set_(tools,
               checks,
               {.passed = [this] { became_healthy(); },
                .missed = {},
                .failed =
                        [this](const std::string& text) {
                            liveness_failed("Liveness check unsuccessful: " + text);
                        }}) {}

  protected:
    void begin_startup() override { set_.wait(); }

    void begin_liveness(std::chrono::nanoseconds first) override { set_.watch(first); }

    void give_up() override {
        set_.stop();
        startup_failed(set_.waiting_for(elapsed()));
    }

    void on_cancel() override {
        set_.stop();
        finish(Outcome::cancelled());
    }

  private:
    CheckSet set_;
};

}  // namespace

std::unique_ptr<Step> make_check_step(
        const std::vector<api::Check>& checks, Tools& tools, HealthOptions options) {
    return std::make_unique<CheckStep>(checks, tools, std::move(options));
}

}  // namespace executor
