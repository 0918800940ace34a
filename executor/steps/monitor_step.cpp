// Health by an action that is run again and again (executor-rep §7.1).
#include "executor/logs/stream.hpp"
#include "executor/steps/check_set.hpp"
#include "executor/steps/health_step.hpp"
#include "executor/steps/memory_journal.hpp"
#include "executor/steps/slots.hpp"

#include <fmt/format.h>

namespace executor {

namespace {

class NoLog final : public LogStream {
  public:
    void write(std::string_view, LogKind, std::string_view) override {}

    void say(std::string_view, LogKind, std::string_view) override {}

    void flush(std::string_view) override {}
};

// One check, with its own memory: its parts are of no interest after it.
struct Attempt {
    MemoryJournal journal;
    NoLog log;
    Tools tools;
    std::unique_ptr<Step> step;

    explicit Attempt(Tools& from)
        : journal(from.loop.clock()),
          tools{.loop = from.loop,
                .processes = from.processes,
                .files = from.files,
                .fetcher = from.fetcher,
                .log = log,
                .journal = journal,
                .download_pool = from.download_pool,
                .upload_pool = from.upload_pool,
                .facts = from.facts,
                .times = from.times,
                .set_routable = {},
                .monitoring = true} {}
};

class MonitorStep final : public HealthStep {
  public:
    MonitorStep(const api::Action& monitor, Tools& tools, HealthOptions options)
        : HealthStep(tools, std::move(options)),
          monitor_(monitor),
          eagerness_(tools.times.first_probe, tools.times.unhealthy_interval) {}

    ~MonitorStep() override { loop().cancel(timer_); }

    MonitorStep(const MonitorStep&) = delete;
    MonitorStep& operator=(const MonitorStep&) = delete;

  protected:
    void begin_startup() override { check_after(eagerness_.next()); }

    void begin_liveness(std::chrono::nanoseconds first) override {
        check_after(first > first.zero() ? first : tools().times.healthy_interval);
    }

    void give_up() override;
    void on_cancel() override;

  private:
    void check_after(std::chrono::nanoseconds delay);
    void wait_for_turn();
    void check();
    void checked(const Outcome& outcome);
    bool stop_waiting();

    const api::Action monitor_;
    Eagerness eagerness_;
    Loop::TimerId timer_ = 0;
    std::unique_ptr<Slots::Turn> turn_;
    std::unique_ptr<Attempt> attempt_;
    std::uint64_t number_ = 0;
    bool gave_up_ = false;
    std::string detail_ = "no health check has ended";
};

void MonitorStep::check_after(std::chrono::nanoseconds delay) {
    timer_ = loop().after(delay, [this] { wait_for_turn(); });
}

void MonitorStep::wait_for_turn() {
    timer_ = 0;
    if (tools().health_slots == nullptr) return check();
    turn_ = tools().health_slots->take([this] { check(); });
}

void MonitorStep::check() {
    attempt_ = std::make_unique<Attempt>(tools());
    // The time makes the processes' names unique over restarts, where the number begins anew.
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(
                              loop().clock().wall().time_since_epoch())
                              .count();
    attempt_->step = make_step(
            monitor_, attempt_->tools, options().source,
            fmt::format("{}/{}-{}", options().path, time, ++number_));
    attempt_->step->start({.ready = {}, .done = [this](Outcome outcome) { checked(outcome); }});
}

void MonitorStep::checked(const Outcome& outcome) {
    attempt_.reset();
    turn_.reset();
    if (cancelled()) return finish(Outcome::cancelled());
    if (outcome.good() && !gave_up_)
        return healthy() ? check_after(tools().times.healthy_interval) : became_healthy();
    if (!outcome.good() && !outcome.hidden())
        detail_ = outcome.message.empty() ? "failed to invoke process" : outcome.message;
    if (healthy()) return liveness_failed(detail_);
    gave_up_ ? startup_failed(detail_) : check_after(eagerness_.next());
}

// True: a check is on its way and is ended now; checked() follows.
bool MonitorStep::stop_waiting() {
    loop().cancel(timer_);
    timer_ = 0;
    if (!attempt_) {
        turn_.reset();
        return false;
    }
    attempt_->step->cancel();
    return true;
}

void MonitorStep::give_up() {
    gave_up_ = true;
    if (!stop_waiting()) startup_failed(detail_);
}

void MonitorStep::on_cancel() {
    if (!stop_waiting()) finish(Outcome::cancelled());
}

}  // namespace

std::unique_ptr<Step> make_monitor_step(
        const api::Action& monitor, Tools& tools, HealthOptions options) {
    return std::make_unique<MonitorStep>(monitor, tools, std::move(options));
}

}  // namespace executor
