#include "executor/steps/transfer.hpp"

#include "executor/steps/journal.hpp"

#include <array>
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>

namespace executor {

void TransferTalk::say(std::string_view line) const {
    if (!artifact_.empty() && !tools_.monitoring) tools_.log.say(source_, LogKind::out, line);
}

void TransferTalk::say_error(std::string_view message, std::string_view cause) const {
    if (artifact_.empty() || tools_.monitoring) return;
    tools_.log.say(source_, LogKind::err, fmt::format("{}: {}", message, cut_error(cause)));
}

Outcome TransferTalk::fail(std::string message, const base::Error& cause) const {
    say_error(message, cause.text);
    return Outcome::failed(std::move(message), cause.text);
}

std::string short_size(std::uint64_t bytes) {
    constexpr std::array<char, 5> kUnits = {'B', 'K', 'M', 'G', 'T'};
    std::size_t unit = 0;
    auto value = static_cast<double>(bytes);
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    auto text = fmt::format("{:.1f}", value);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text + kUnits[unit];
}

std::string cut_error(std::string_view text) {
    return std::string(text.substr(0, kMaxLoggedError));
}

struct TransferStep::Job {
    Work work;
    std::stop_source stop;
    std::mutex mutex;
    std::condition_variable left;
    bool running = false;    // under mutex
    bool abandoned = false;  // under mutex: nobody waits, nothing may be touched

    Outcome run() {
        {
            const std::lock_guard lock(mutex);
            if (abandoned) return Outcome::cancelled();
            running = true;
        }
        auto outcome = work(stop.get_token());
        const std::lock_guard lock(mutex);
        running = false;
        left.notify_all();
        return outcome;
    }

    // True when it had not begun and never will.
    bool abandon() {
        const std::lock_guard lock(mutex);
        if (!running) abandoned = true;
        return abandoned;
    }
};

TransferStep::TransferStep(Tools& tools, base::WorkerPool& pool, std::string path, Work work)
    : BasicStep(tools.loop),
      tools_(tools),
      pool_(pool),
      path_(std::move(path)),
      job_(std::make_shared<Job>()) {
    job_->work = std::move(work);
}

TransferStep::~TransferStep() {
    job_->stop.request_stop();
    (void)job_->abandon();
    std::unique_lock lock(job_->mutex);
    job_->left.wait(lock, [this] { return !job_->running; });
}

void TransferStep::begin() {
    // A restart: what is done stays done, what was half done is done again.
    if (auto finished = tools_.journal.finished(path_)) {
        if (finished->good()) ready();
        return finish(std::move(*finished));
    }
    if (cancelled()) return finish(Outcome::cancelled());
    tools_.journal.begin(path_);
    loop().offload<Outcome>(
            pool_, [job = job_] { return base::Result<Outcome>(job->run()); },
            guarded([this](base::Result<Outcome> outcome) {
                if (outcome) return end(std::move(outcome).value());
                end(Outcome::failed("too many transfers wait on this cell", outcome.error().text));
            }));
}

void TransferStep::on_cancel() {
    job_->stop.request_stop();
    if (job_->abandon()) finish(Outcome::cancelled());
}

void TransferStep::end(Outcome outcome) {
    if (over()) return;
    if (cancelled() && !outcome.good()) outcome = Outcome::cancelled();
    // Not of a cancelled one: the next life of the daemon may begin it again.
    if (!outcome.hidden()) tools_.journal.finish(path_, outcome);
    if (outcome.good()) ready();
    finish(std::move(outcome));
}

}  // namespace executor
