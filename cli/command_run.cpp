// `cloche run`: image, container, process, session; and `cloche exec`, which is its second half.
#include "base/fail.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/pull.hpp"
#include "cli/session.hpp"
#include "cli/spec.hpp"

namespace cli {

namespace {

void say_error(const base::Error& error) {
    say("cloche: " + error.text);
}

// Errors before the process runs have codes of their own; an unreachable daemon keeps its code
// (conventions §15).
base::Result<int> not_started(const base::Error& error) {
    if (error.kind == base::Errc::unavailable && error.text.find("connect to") != std::string::npos)
        return error;
    say_error(error);
    return start_exit_code(error);
}

SessionOptions session_options(const ProcessOptions& process, std::string name) {
    return {.input = process.interactive ? SessionOptions::Input::pass : SessionOptions::Input::end,
            .tty = process.tty,
            .forward_signals = true,
            .name = std::move(name),
            .already_out = {},
            .already_err = {}};
}

base::Result<int> leave_running(
        garden::api::ProcessStream& stream, bool interactive, const std::string& name) {
    // Without -i nobody will ever write to it: the process reads an end at once.
    if (!interactive) stream.send_input_end();
    TRY(stream.flush());
    TRY(print(name + "\n"));
    return kExitOk;
}

base::Result<SessionEnd> watch(
        garden::api::ProcessStream& stream,
        const ProcessOptions& process,
        const std::string& handle,
        SignalGate& signals) {
    const auto options = session_options(process, handle + " " + stream.process_id());
    const auto end = TRY(run_session(stream, options, signals));
    if (end.detached) say("detached; the process keeps running");
    return end;
}

void destroy_quietly(Context& context, const std::string& handle) {
    auto destroyed = context.client.destroy(handle);
    if (!destroyed && destroyed.error().kind != base::Errc::not_found) say_error(destroyed.error());
}

base::Result<int> run_in(
        Context& context,
        const RunOptions& options,
        const std::string& handle,
        const garden::api::ImageConfig* image,
        SignalGate& signals) {
    auto spec = TRY(process_spec(options.process, image, terminal_wish(options.process.tty)));
    spec.id = kMainProcess;
    auto stream = context.client.run(handle, spec);
    if (!stream) {
        // Nobody asked for a container without the process: undo.
        destroy_quietly(context, handle);
        return not_started(stream.error());
    }
    if (options.process.detach) return leave_running(*stream, options.process.interactive, handle);
    const auto end = watch(*stream, options.process, handle, signals);
    // Who left by the detach keys wants the process to go on, --rm or not; and so it does when the
    // daemon is gone.
    const bool goes_on = end ? end->detached : end.error().kind == base::Errc::unavailable;
    if (options.remove && !goes_on) destroy_quietly(context, handle);
    return static_cast<int>(TRY(end).code);
}

}  // namespace

base::Result<int> run_command(Context& context, const RunOptions& options) {
    const auto spec = TRY(container_spec(options.container));
    auto image = ensure_image(context, spec.image);
    if (!image) return not_started(image.error());
    // A command line that cannot work is told before anything is made.
    TRY(process_spec(options.process, &image->config, {}));
    auto signals = TRY(SignalGate::open());
    const auto handle = context.client.create(spec);
    if (!handle) return not_started(handle.error());
    return run_in(context, options, *handle, &image->config, signals);
}

base::Result<int> run_command(Context& context, const ExecOptions& options) {
    const auto spec =
            TRY(process_spec(options.process, nullptr, terminal_wish(options.process.tty)));
    auto signals = TRY(SignalGate::open());
    auto stream = context.client.run(options.handle, spec);
    if (!stream && stream.error().text.starts_with("unknown handle"))
        return std::move(stream).error();
    if (!stream) return not_started(stream.error());
    if (options.process.detach)
        return leave_running(*stream, options.process.interactive, stream->process_id());
    return static_cast<int>(TRY(watch(*stream, options.process, options.handle, signals)).code);
}

}  // namespace cli
