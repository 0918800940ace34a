// `cloche task run --local`.
#include "base/fail.hpp"
#include "base/json_writer.hpp"
#include "base/sys/file.hpp"
#include "cli/clients.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/local_task.hpp"
#include "cli/output_file.hpp"

#include <unistd.h>

namespace cli {

namespace {

constexpr std::size_t kMaxRecipe = base::json::kMaxBytes;
constexpr ::mode_t kResultMode = 0644;

base::Result<std::string> read_recipe(const std::string& path) {
    if (path == "-") return base::sys::read_all(base::FdRef(STDIN_FILENO), kMaxRecipe);
    return base::sys::read_host_file(path, kMaxRecipe);
}

std::string end_object(const std::string& guid, const TaskEnd& end, bool with_result) {
    const auto& outcome = end.outcome;
    base::json::Writer w;
    w.begin_object()
            .member("guid", guid)
            .member("failed", outcome.failed)
            .member("failure_reason", outcome.failure_reason)
            .member("retryable", outcome.retryable)
            .member("stopped", outcome.stopped);
    if (with_result && end.result) w.member("result", *end.result);
    return w.end_object().take() + "\n";
}

}  // namespace

base::Result<int> run_command(Context& context, const TaskRunOptions& options) {
    const auto text =
            TRY(read_recipe(options.recipe).context(base::format("recipe {}", options.recipe)));
    const auto recipe = TRY(
            parse_recipe(text, options.guid).context(base::format("recipe {}", options.recipe)));
    if (!options.result.empty() && recipe.result_file.empty())
        return base::fail(
                base::Errc::invalid, "--result: the recipe names no result_file to fetch");
    auto cell = TRY(cell_client(context.global));
    // Before there is anything that a signal would leave behind.
    auto signals = TRY(SignalGate::open());
    const auto end = TRY(LocalTask(context, cell, options, recipe, signals).run());
    if (end.result && !options.result.empty())
        TRY(write_output_file(options.result, *end.result, kResultMode)
                    .context(base::format("--result {}", options.result)));
    if (context.json()) {
        TRY(print(end_object(recipe.run.guid, end, options.result.empty())));
    } else if (end.result && options.result.empty()) {
        TRY(print(*end.result));
    }
    const auto& outcome = end.outcome;
    if (!outcome.failed && !outcome.stopped) return kExitOk;
    say(base::format(
            "cloche: task {} {}{}{}", recipe.run.guid, outcome.stopped ? "was stopped" : "failed",
            outcome.failure_reason.empty() ? "" : ": ", outcome.failure_reason));
    return kExitFailed;
}

}  // namespace cli
