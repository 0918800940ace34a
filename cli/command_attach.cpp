// `cloche attach` and `cloche logs`: looking at a process that runs already.
#include "cli/clients.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/session.hpp"
#include "cli/spec.hpp"

#include <unistd.h>

namespace cli {

base::Result<int> run_command(Context& context, const AttachOptions& options) {
    const auto id = TRY(
            choose_process(TRY(context.client.processes(options.handle)), options.process, true));
    auto signals = TRY(SignalGate::open());
    auto stream = TRY(context.client.attach(options.handle, id));
    const SessionOptions session{
            .input = options.no_stdin ? SessionOptions::Input::none : SessionOptions::Input::pass,
            .tty = options.tty,
            .forward_signals = !options.no_stdin,
            .name = options.handle + " " + id,
            .already_out = {},
            .already_err = {}};
    if (options.tty) {
        const auto wish = terminal_wish(true);
        stream.send_window(
                wish.columns, wish.rows);  // programs redraw for the terminal they have now
    }
    const auto end = TRY(run_session(stream, session, signals));
    if (end.detached) say("detached; the process keeps running");
    return static_cast<int>(end.code);
}

namespace {

// A cell that answers and knows the name has the better log: all processes, with times. Who names a
// process means gardend's.
bool cell_knows(const Context& context, const LogsOptions& options) {
    if (!options.process.empty()) return false;
    auto cell = cell_client(context.global);
    return cell && cell->get(options.handle);
}

std::string_view newest(std::string_view text, std::optional<std::size_t> lines) {
    if (!lines) return text;
    if (*lines == 0) return {};
    auto at = text.size();
    if (text.ends_with('\n')) --at;  // ends the last line, begins none
    for (std::size_t left = *lines; left > 0 && at != 0; --left) {
        const auto found = text.rfind('\n', at - 1);
        if (found == std::string_view::npos) return text;
        if (left == 1) return text.substr(found + 1);
        at = found;
    }
    return text;
}

}  // namespace

base::Result<int> run_command(Context& context, const LogsOptions& options) {
    if (cell_knows(context, options))
        return run_command(
                context,
                CellLogsOptions{
                        .guid = options.handle, .follow = options.follow, .lines = options.lines});
    const auto rows = TRY(context.client.processes(options.handle));
    const auto id = TRY(choose_process(rows, options.process, false));
    auto signals = options.follow ? std::optional(TRY(SignalGate::open())) : std::nullopt;
    // Attached first and asked for the past afterwards, so that nothing falls between; the session
    // drops what is there twice.
    auto stream = options.follow ? std::optional(TRY(context.client.attach(options.handle, id)))
                                 : std::nullopt;
    SessionOptions session{
            .input = SessionOptions::Input::none,
            .tty = false,
            .forward_signals = false,
            .name = options.handle + " " + id};
    session.already_out = TRY(context.client.logs(options.handle, id, false));
    session.already_err = TRY(context.client.logs(options.handle, id, true));
    TRY(print(newest(session.already_out, options.lines)));
    TRY(write_out(base::FdRef(STDERR_FILENO), newest(session.already_err, options.lines)));
    if (stream) TRY(run_session(*stream, session, *signals));
    return kExitOk;
}

}  // namespace cli
