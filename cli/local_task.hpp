// A task on one cell, from its allocation to its end: lines as they come, the result, signals. Used
// by `task run --local`; one thread.
#pragma once

#include "cli/context.hpp"
#include "cli/recipe.hpp"
#include "cli/session.hpp"
#include "executor/api/client.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace cli {

struct TaskEnd {
    executor::api::RunResult outcome;
    std::optional<std::string> result;  // content of the result file, of a task that succeeded
};

class LocalTask {
  public:
    LocalTask(
            const Context& context,
            executor::api::Client& cell,
            const TaskRunOptions& options,
            const Recipe& recipe,
            SignalGate& signals);

    // Deletes the container however it ends, unless it is to be kept. A first signal stops the task
    // gracefully; with a second one its end is not waited for (Errc::cancelled).
    base::Result<TaskEnd> run();

  private:
    using Clock = std::chrono::steady_clock;

    base::Result<void> allocate();
    base::Result<TaskEnd> follow();
    base::Result<executor::api::Container> wait_for_end();
    base::Result<void> take_signals();
    base::Result<void> stop(std::string_view why);
    base::Result<void> read_log();
    base::Result<void> pause();
    void write(const executor::api::LogRecord& record);
    base::Result<void> drain();
    base::Result<std::string> fetch_result();
    base::Result<void> remove();

    const Context& context_;
    executor::api::Client& cell_;
    const TaskRunOptions& options_;
    const Recipe& recipe_;
    const std::string& guid_;
    SignalGate& signals_;
    std::unique_ptr<executor::api::LogSource> log_;
    bool log_over_ = false;
    std::uint64_t seen_ = 0;  // sequence of the last line
    int asked_to_end_ = 0;
    bool reader_left_ = false;
};

}  // namespace cli
