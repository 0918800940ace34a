#include "executor/steps/basic_step.hpp"
#include "executor/steps/combinators.hpp"

#include <fmt/format.h>

namespace executor {

namespace {

class SerialStep final : public BasicStep {
  public:
    SerialStep(Tools& tools, std::string path, Steps steps)
        : BasicStep(tools.loop),
          journal_(tools.journal),
          path_(std::move(path)),
          steps_(std::move(steps)) {}

  protected:
    void begin() override;

    void on_cancel() override { steps_[at_]->cancel(); }

  private:
    // Not a child's own path: a child uses that one to know whether it has begun itself.
    std::string mark(std::size_t child) const { return fmt::format("{}/at/{}", path_, child); }

    void start_child();
    void child_done(const Outcome& outcome);

    Journal& journal_;
    const std::string path_;
    Steps steps_;
    std::size_t at_ = 0;
};

// After a restart the child that was current goes on; those before it are not looked at again.
void SerialStep::begin() {
    bool known = false;
    while (at_ < steps_.size() && journal_.begun(mark(at_))) {
        known = true;
        ++at_;
    }
    if (known) --at_;
    if (steps_.empty()) return finish(Outcome::success());
    // A cancel reaches what an earlier life began, and begins nothing.
    if (cancelled() && !known) return finish(Outcome::cancelled());
    start_child();
}

void SerialStep::start_child() {
    journal_.begin(mark(at_));
    auto& child = *steps_[at_];
    if (cancelled()) child.cancel();
    child.start(
            {.ready =
                     [this] {
                         if (at_ + 1 == steps_.size()) ready();
                     },
             .done = [this](Outcome outcome) { child_done(outcome); }});
}

// §5.9: after a signal the current child's result is the result of the whole.
void SerialStep::child_done(const Outcome& outcome) {
    if (!outcome.good() || cancelled() || at_ + 1 == steps_.size()) return finish(outcome);
    ++at_;
    start_child();
}

}  // namespace

std::unique_ptr<Step> serial(Tools& tools, std::string path, Steps steps) {
    return std::make_unique<SerialStep>(tools, std::move(path), std::move(steps));
}

}  // namespace executor
