#include "executor/logs/stream.hpp"
#include "executor/steps/basic_step.hpp"
#include "executor/steps/combinators.hpp"

namespace executor {

namespace {

class EmitProgressStep final : public WrapperStep {
  public:
    EmitProgressStep(
            Tools& tools,
            std::string path,
            std::string source,
            ProgressTexts texts,
            std::unique_ptr<Step> child)
        : WrapperStep(tools.loop, std::move(child)),
          tools_(tools),
          path_(std::move(path)),
          source_(std::move(source)),
          texts_(std::move(texts)) {}

  protected:
    void begin() override;
    void child_done(Outcome outcome) override;

  private:
    void say(LogKind kind, const std::string& text) {
        if (!text.empty()) tools_.log.say(source_, kind, text);
    }

    Tools& tools_;
    const std::string path_;
    const std::string source_;
    const ProgressTexts texts_;
};

// Nothing is said twice: not after a restart, and not when the child had ended before it.
void EmitProgressStep::begin() {
    if (auto outcome = tools_.journal.finished(path_)) return finish(std::move(*outcome));
    if (!cancelled() && !tools_.journal.begun(path_)) {
        tools_.journal.begin(path_);
        say(LogKind::out, texts_.start);
    }
    start_child();
}

void EmitProgressStep::child_done(Outcome outcome) {
    tools_.journal.finish(path_, outcome);
    if (outcome.good()) {
        say(LogKind::out, texts_.success);
    } else if (!texts_.failure_prefix.empty()) {
        const bool shown = !outcome.hidden() && !outcome.message.empty();
        say(LogKind::err,
            shown ? texts_.failure_prefix + ": " + outcome.message : texts_.failure_prefix);
    }
    finish(std::move(outcome));
}

}  // namespace

std::unique_ptr<Step> emit_progress(
        Tools& tools,
        std::string path,
        std::string source,
        ProgressTexts texts,
        std::unique_ptr<Step> step) {
    return std::make_unique<EmitProgressStep>(
            tools, std::move(path), std::move(source), std::move(texts), std::move(step));
}

}  // namespace executor
