// The program `cloche`: arguments in, one command, exit code out.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "cli/arguments.hpp"
#include "cli/clients.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/terminal.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <type_traits>

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

int report(const base::Error& error, const cli::Arguments& arguments) {
    cli::say("cloche: " + error.text);
    if (error.kind == base::Errc::unavailable && error.text.find("connect") != std::string::npos) {
        const auto daemon = cli::daemon_of(arguments);
        cli::say(base::format(
                "hint: is {} running? it was looked for at {}; {} or {} name another", daemon.name,
                daemon.address, daemon.flag, daemon.variable));
    }
    return cli::exit_code(error);
}

base::Result<int> run(const cli::Arguments& arguments) {
    auto config = TRY(cli::client_config(arguments.global, arguments.global.host, "--host"));
    garden::api::Client client(std::move(config));
    const bool plain = arguments.global.no_color || !environment("NO_COLOR").empty();
    const base::FdRef out(STDOUT_FILENO), err(STDERR_FILENO);
    cli::Context context{
            .global = arguments.global,
            .client = client,
            .color = !plain && cli::is_terminal(out),
            .columns = cli::is_terminal(err)
                               ? cli::terminal_size(err).value_or(cli::TerminalSize{}).columns
                               : std::uint16_t{0}};
    return std::visit(
            [&](const auto& options) -> base::Result<int> {
                if constexpr (std::is_same_v<
                                      std::remove_cvref_t<decltype(options)>, std::monostate>) {
                    return base::fail(base::Errc::invalid, "no command");
                } else {
                    return cli::run_command(context, options);
                }
            },
            arguments.command);
}

// Started with a standard descriptor closed, we would give its number to a connection and print
// into that. What is put there can be read (an end) and not be written.
void fill_standard_descriptors() {
    for (;;) {
        auto fd = base::sys::open_host("/dev/null", O_RDONLY);
        if (!fd || fd->get() > STDERR_FILENO) return;
        (void)fd->release();  // until the program ends
    }
}

}  // namespace

int main(int argc, char** argv) {
    fill_standard_descriptors();
    // A reader that leaves is an error of write, handled where it happens.
    (void)::signal(SIGPIPE, SIG_IGN);
    auto parsed = cli::parse_arguments(
            std::vector<std::string>(argv + 1, argv + argc), environment("CLOCHE_HOST"),
            environment("CLOCHE_CELL"), environment("CLOCHE_REP"));
    if (!parsed) {
        cli::say("cloche: " + parsed.error().text);
        cli::say("hint: cloche --help, or cloche COMMAND --help");
        return cli::kExitUsage;
    }
    if (!parsed->print.empty()) return cli::print(parsed->print) ? cli::kExitOk : cli::kExitFailed;
    const auto code = run(parsed->arguments);
    return code ? *code : report(code.error(), parsed->arguments);
}
