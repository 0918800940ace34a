#include "executor/steps/run_step.hpp"

#include "executor/logs/stream.hpp"
#include "executor/steps/basic_step.hpp"
#include "executor/steps/duration.hpp"
#include "executor/steps/environment.hpp"

#include <fmt/format.h>

namespace executor {

namespace {

// Of a failed check's words: as much as a person reads.
constexpr std::size_t kMaxCaptured = 8 * 1024;

constexpr std::string_view kOutOfMemory = " (out of memory)";

std::string trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const auto first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) return {};
    return std::string(text.substr(first, text.find_last_not_of(kBlank) + 1 - first));
}

class RunStep final : public BasicStep {
  public:
    RunStep(const api::RunAction& action, Tools& tools, std::string source, std::string path)
        : BasicStep(tools.loop),
          action_(action),
          tools_(tools),
          source_(action.log_source.empty() ? std::move(source) : action.log_source),
          path_(std::move(path)) {}

    ~RunStep() override { stop_timer(); }

    RunStep(const RunStep&) = delete;
    RunStep& operator=(const RunStep&) = delete;

  protected:
    void begin() override;
    void on_cancel() override;

  private:
    ProcessRequest request(bool was_begun) const;
    void kill();
    void output(bool is_stderr, std::string_view text);
    void ended(base::Result<ProcessEnd> end);
    void say_exit(const ProcessEnd& end);
    Outcome not_run(const base::Error& error);
    Outcome judge(const ProcessEnd& end) const;
    void conclude(Outcome outcome);

    void stop_timer() {
        loop().cancel(timer_);
        timer_ = 0;
    }

    // A monitor's words are kept for when it fails; nothing else of it is shown (§7.1).
    bool captures() const { return tools_.monitoring; }

    bool shows() const { return !captures() && !action_.suppress_log_output; }

    const api::RunAction action_;
    Tools& tools_;
    const std::string source_;
    const std::string path_;
    std::unique_ptr<RunningProcess> process_;
    Loop::TimerId timer_ = 0;
    bool started_ = false;
    bool killed_ = false;
    std::string captured_;
};

ProcessRequest RunStep::request(bool was_begun) const {
    ProcessRequest out{
            .handle = tools_.facts.handle,
            .spec = {},
            .attach_first = was_begun,
            .want_output = captures() || shows()};
    // What was cancelled must not start now because nobody knows it.
    out.attach_only = was_begun && cancelled();
    out.spec.id = process_id(path_);
    out.spec.path = action_.path;
    out.spec.args = action_.args;
    out.spec.dir = action_.dir;
    out.spec.user = action_.user;
    out.spec.env = process_environment(tools_.facts, action_.env);
    // nproc is deprecated and never applied (§5.1).
    if (action_.resource_limits.nofile)
        out.spec.rlimits.emplace("nofile", *action_.resource_limits.nofile);
    else if (tools_.facts.nofile_default != 0)
        out.spec.rlimits.emplace("nofile", tools_.facts.nofile_default);
    return out;
}

void RunStep::begin() {
    if (auto outcome = tools_.journal.finished(path_)) return finish(std::move(*outcome));
    const bool was_begun = tools_.journal.begun(path_).has_value();
    if (cancelled() && !was_begun) return finish(Outcome::cancelled());
    tools_.journal.begin(path_);
    process_ = tools_.processes.run(
            request(was_begun),
            {.started =
                     [this] {
                         started_ = true;
                         ready();
                     },
             .output = [this](bool is_stderr, std::string_view text) { output(is_stderr, text); },
             .ended = [this](base::Result<ProcessEnd> end) { ended(std::move(end)); }});
    if (cancelled()) on_cancel();
}

void RunStep::on_cancel() {
    if (!process_) return;
    process_->terminate();
    timer_ = loop().after(tools_.times.graceful_shutdown, [this] { kill(); });
}

void RunStep::kill() {
    killed_ = true;
    process_->kill();
    timer_ = loop().after(tools_.times.exit_timeout, [this] {
        timer_ = 0;
        conclude(
                {.kind = Outcome::Kind::exit_timeout,
                 .message = "process did not exit after it was killed",
                 .detail = fmt::format("process {}", process_id(path_))});
    });
}

void RunStep::output(bool is_stderr, std::string_view text) {
    if (captures()) {
        captured_.append(text.substr(0, kMaxCaptured - std::min(kMaxCaptured, captured_.size())));
    } else if (shows()) {
        tools_.log.write(source_, is_stderr ? LogKind::err : LogKind::out, text);
    }
}

void RunStep::ended(base::Result<ProcessEnd> end) {
    if (over()) return;  // given up on already: exit timeout
    if (shows()) tools_.log.flush(source_);
    if (!end) return conclude(not_run(end.error()));
    if (shows()) say_exit(*end);
    conclude(judge(*end));
}

// §5.3: several notes can apply at once, in this order.
void RunStep::say_exit(const ProcessEnd& end) {
    auto line = fmt::format("Exit status {}", end.status);
    if (killed_)
        line += fmt::format(
                " (exceeded {} graceful shutdown interval)",
                to_go_text(tools_.times.graceful_shutdown));
    if (end.status != 0 && end.out_of_memory) line += kOutOfMemory;
    tools_.log.say(source_, LogKind::out, line);
}

Outcome RunStep::not_run(const base::Error& error) {
    if (cancelled()) return Outcome::cancelled();
    if (started_) {
        return Outcome::failed(
                error.kind == base::Errc::not_found ? "missing garden container"
                                                    : source_ + ": lost: " + error.text,
                error.text);
    }
    if (captures()) return Outcome::failed("failed to invoke process: " + error.text, error.text);
    tools_.log.say(source_, LogKind::out, "failed-creating-process: " + error.text);
    return Outcome::failed(source_ + ": Failed to start: " + error.text, error.text);
}

Outcome RunStep::judge(const ProcessEnd& end) const {
    if (killed_) {
        return {.kind = Outcome::Kind::grace_exceeded,
                .message = fmt::format(
                        "exceeded {} graceful shutdown interval",
                        to_go_text(tools_.times.graceful_shutdown)),
                .detail = {}};
    }
    if (cancelled()) return Outcome::cancelled();
    if (end.status == 0) return Outcome::success();
    const auto status = fmt::format(
            "Exited with status {}{}", end.status, end.out_of_memory ? kOutOfMemory : "");
    if (!captures()) return Outcome::failed(source_ + ": " + status);
    const auto words = trimmed(captured_);
    return Outcome::failed(words.empty() ? "failed to invoke process: " + status : words, status);
}

void RunStep::conclude(Outcome outcome) {
    stop_timer();
    tools_.journal.finish(path_, outcome);
    finish(std::move(outcome));
}

}  // namespace

std::unique_ptr<Step> make_run_step(
        const api::RunAction& action, Tools& tools, std::string source, std::string path) {
    return std::make_unique<RunStep>(action, tools, std::move(source), std::move(path));
}

}  // namespace executor
