#include "cli/local_task.hpp"

#include "base/fail.hpp"
#include "cli/cell_view.hpp"
#include "cli/tar_files.hpp"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

namespace cli {

namespace {

using executor::api::State;

constexpr std::size_t kRecent = 10'000;         // all that a cell keeps
constexpr std::chrono::milliseconds kTick{50};  // how long a signal waits for us
constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::seconds kDrain{10};
constexpr std::size_t kMaxResult = std::size_t{16} << 20;

}  // namespace

LocalTask::LocalTask(
        const Context& context,
        executor::api::Client& cell,
        const TaskRunOptions& options,
        const Recipe& recipe,
        SignalGate& signals)
    : context_(context),
      cell_(cell),
      options_(options),
      recipe_(recipe),
      guid_(recipe.run.guid),
      signals_(signals) {}

base::Result<TaskEnd> LocalTask::run() {
    TRY(allocate());
    auto end = follow();
    const bool keep = options_.keep && asked_to_end_ < 2;
    const auto removed = keep ? base::Result<void>(base::ok) : remove();
    // The error that came first is the one to tell.
    if (end && !removed) return removed.error();
    if (!removed)
        say(base::format(
                "cloche: {}\nhint: its container is left; look with: cloche cell logs {}",
                removed.error().text, guid_));
    if (keep && !options_.quiet) say("kept: " + guid_);
    return end;
}

base::Result<void> LocalTask::allocate() {
    const auto refused = TRY(cell_.allocate({recipe_.allocation}));
    if (refused.empty()) return base::ok;
    const auto& first = refused.front();
    for (const auto& known : executor::api::named_errors())
        if (known.name == first.name)
            return base::fail(known.kind, "allocate {}: {}", guid_, first.message);
    return base::fail(base::Errc::internal, "allocate {}: {}", guid_, first.message);
}

base::Result<TaskEnd> LocalTask::follow() {
    TRY(cell_.run(recipe_.run).context(base::format("run {}", guid_)));
    const auto container = TRY(wait_for_end());
    TRY(drain());
    TaskEnd end{.outcome = container.run_result, .result = {}};
    if (recipe_.result_file.empty() || end.outcome.failed || end.outcome.stopped) return end;
    auto result = fetch_result();
    if (result) {
        end.result = std::move(*result);
    } else {
        // As for the rep, a task without the result that it promised has failed.
        end.outcome.failed = true;
        end.outcome.failure_reason =
                base::format("result file {}: {}", recipe_.result_file, result.error().text);
    }
    return end;
}

base::Result<executor::api::Container> LocalTask::wait_for_end() {
    auto next_look = Clock::now();
    for (;;) {
        TRY(take_signals());
        TRY(read_log());
        if (Clock::now() < next_look) continue;
        auto container = TRY(cell_.get(guid_));
        if (container.state == State::completed) return container;
        next_look = Clock::now() + kLook;
    }
}

base::Result<void> LocalTask::take_signals() {
    while (const int number = signals_.next()) {
        if (number == SIGWINCH) continue;
        if (++asked_to_end_ >= 2)
            return base::fail(base::Errc::cancelled, "task {}: deleted before it had ended", guid_);
        TRY(stop("stopping; once more to delete it at once"));
    }
    // `task run … | head`: it would write to nobody.
    if (reader_left_ && asked_to_end_ == 0) {
        asked_to_end_ = 1;
        TRY(stop("nobody reads the output; stopping"));
    }
    return base::ok;
}

base::Result<void> LocalTask::stop(std::string_view why) {
    if (!options_.quiet) say(base::format("task {}: {}", guid_, why));
    return cell_.stop(guid_);
}

base::Result<void> LocalTask::read_log() {
    if (log_over_) return pause();
    if (!log_) {
        auto opened = cell_.follow_logs(guid_, kRecent);
        // Its log begins a moment after the run request was taken.
        if (!opened && opened.error().kind == base::Errc::not_found) return pause();
        log_ = TRY(std::move(opened));
    }
    auto record = log_->next(kTick);
    if (!record && record.error().kind == base::Errc::timeout) return base::ok;
    if (!record) return std::move(record).error().context("log");
    if (!*record) {
        log_over_ = true;
        return base::ok;
    }
    write(**record);
    return base::ok;
}

base::Result<void> LocalTask::pause() {
    ::pollfd entry{.fd = signals_.fd().get(), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, static_cast<int>(kTick.count())) < 0 && errno != EINTR)
        return base::fail_errno("poll");
    return base::ok;
}

void LocalTask::write(const executor::api::LogRecord& record) {
    if (record.dropped != 0) return say(lost_lines(record.dropped));
    seen_ = record.sequence;
    if (record.source == kCellSource) {
        if (!options_.quiet) say(record.text);
        return;
    }
    // With --json the object alone is on standard output.
    const bool out = record.kind == executor::api::LogKind::out && !context_.json();
    if (reader_left_) return;
    reader_left_ = !write_out(base::FdRef(out ? STDOUT_FILENO : STDERR_FILENO), record.text + "\n");
}

// What was logged before the end is there when the end is; it only has to come here.
base::Result<void> LocalTask::drain() {
    const auto kept = cell_.recent_logs(guid_);
    if (!kept && kept.error().kind == base::Errc::not_found) return base::ok;
    if (!kept) return kept.error();
    if (kept->empty()) return base::ok;
    const auto last = kept->back().sequence;
    const auto deadline = Clock::now() + kDrain;
    while (seen_ < last && !log_over_ && Clock::now() < deadline) TRY(read_log());
    return base::ok;
}

base::Result<std::string> LocalTask::fetch_result() {
    const auto files = TRY(cell_.files(guid_, recipe_.result_file));
    return only_file([&](std::span<char> into) { return files->read_some(into); }, kMaxResult);
}

base::Result<void> LocalTask::remove() {
    auto removed = cell_.remove(guid_);
    if (!removed && removed.error().kind == base::Errc::not_found) return base::ok;
    return std::move(removed).context(base::format("delete {}", guid_));
}

}  // namespace cli
