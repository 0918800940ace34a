#include "executor/steps/readiness_step.hpp"

#include "executor/logs/stream.hpp"
#include "executor/steps/basic_step.hpp"
#include "executor/steps/check_set.hpp"

#include <optional>

namespace executor {

namespace {

class ReadinessStep final : public WrapperStep {
  public:
    ReadinessStep(
            Tools& tools,
            const std::vector<api::Check>& checks,
            std::string path,
            std::string source,
            std::unique_ptr<Step> child)
        : WrapperStep(tools.loop, std::move(child)),
          tools_(tools),
          path_(std::move(path)),
          source_(std::move(source)),
          set_(tools,
               checks,
               {.passed = [this] { passed(); },
                .missed = [this] { missed(); },
                .failed = [this](const std::string& text) { failed(text); }}) {}

  protected:
    void child_ready() override;

    void child_done(Outcome outcome) override {
        set_.stop();
        finish(std::move(outcome));
    }

    // Who is leaving is asked no more.
    void on_cancel() override {
        set_.stop();
        cancel_child();
    }

  private:
    void passed();
    void missed();
    void failed(const std::string& text);
    void tell(bool routable);

    void say(LogKind kind, const std::string& line) { tools_.log.say(source_, kind, line); }

    Tools& tools_;
    const std::string path_;
    const std::string source_;
    std::optional<bool> told_;  // nothing: what an earlier life told last is not known
    CheckSet set_;
};

void ReadinessStep::child_ready() {
    ready();
    if (cancelled()) return;
    if (!tools_.journal.begun(path_)) {
        told_ = false;  // a container begins so
        say(LogKind::out, "Starting readiness monitoring of container");
    }
    tools_.journal.begin(path_);
    set_.wait();
}

void ReadinessStep::passed() {
    if (told_ != true)
        say(LogKind::out,
            "Container passed the readiness check: marked ready and added to route pool");
    tell(true);
    set_.watch();
}

void ReadinessStep::missed() {
    tell(false);
}

void ReadinessStep::failed(const std::string& text) {
    say(LogKind::err, "Readiness check unsuccessful: " + text);
    say(LogKind::err,
        "Container failed the readiness check: marked not ready and removed from route pool");
    tell(false);
    set_.wait();
}

void ReadinessStep::tell(bool routable) {
    if (told_ == routable) return;
    told_ = routable;
    if (tools_.set_routable) tools_.set_routable(routable);
}

}  // namespace

std::unique_ptr<Step> with_readiness(
        Tools& tools,
        const std::vector<api::Check>& checks,
        std::string path,
        std::string source,
        std::unique_ptr<Step> step) {
    return std::make_unique<ReadinessStep>(
            tools, checks, std::move(path), std::move(source), std::move(step));
}

}  // namespace executor
