#include "cli/arguments_registry.hpp"

#include <string>
#include <vector>

namespace cli {

// `cloche run`, and the commands about the processes of a container: exec, attach, logs, ps, stats,
// cp.

namespace {

// CLI11 hands the "--" that ended our flags to the command.
void drop_dashes(std::vector<std::string>& command) {
    if (!command.empty() && command.front() == "--") command.erase(command.begin());
}

}  // namespace

void add_run(CLI::App& app, Slots& slots) {
    auto* run = app.add_subcommand("run", "Create a container and run a command in it");
    run->positionals_at_end();
    run->prefix_command(false);
    add_process_flags(*run, slots.run.process);
    add_container_flags(*run, slots.run_container);
    run->add_flag("--rm", slots.run.remove, "Destroy the container when the command has ended");
    run->add_option(
               "IMAGE", slots.run_container.options.image,
               "Image: name[:tag], docker://…, oci:///dir, /file.tar, /dir")
            ->required();
    run->add_option(
            "COMMAND", slots.run.process.command,
            "Command and arguments; the image's own when left out");
    run->callback([&slots] {
        slots.run.container = finish_container(slots.run_container);
        drop_dashes(slots.run.process.command);
        if (slots.run.remove && slots.run.process.detach)
            throw CLI::ValidationError("--rm", "does not go with --detach. hint: use --grace-time");
        slots.out.command = slots.run;
    });
}

namespace {

void add_exec(CLI::App& app, Slots& slots) {
    auto* exec = app.add_subcommand("exec", "Run a further process in a container");
    exec->positionals_at_end();
    add_process_flags(*exec, slots.exec.process);
    exec->add_option("-e,--env", slots.exec.process.env, "KEY=VALUE; may be repeated")
            ->allow_extra_args(false);
    exec->add_option("HANDLE", slots.exec.handle, "Container")->required();
    exec->add_option("COMMAND", slots.exec.process.command, "Command and arguments")->required();
    exec->callback([&slots] {
        drop_dashes(slots.exec.process.command);
        if (slots.exec.process.command.empty()) throw CLI::RequiredError("COMMAND");
        check_env(slots.exec.process.env);
        slots.out.command = slots.exec;
    });
}

void add_attach(CLI::App& app, Slots& slots) {
    auto* attach = app.add_subcommand(
            "attach", "Join a running process; with -t, ctrl-p ctrl-q leaves it");
    attach->add_option("HANDLE", slots.attach.handle, "Container")->required();
    attach->add_option(
            "PROCESS", slots.attach.process, "Process id; the only running one when left out");
    attach->add_flag(
            "-t,--tty", slots.attach.tty,
            "The process has a terminal: raw keys, window size, detach keys");
    attach->add_flag("--no-stdin", slots.attach.no_stdin, "Only watch");
    attach->callback([&slots] { slots.out.command = slots.attach; });
}

void add_logs(CLI::App& app, Slots& slots) {
    auto* logs = app.add_subcommand(
            "logs",
            "Print the kept end of a process's output, or of the log of a cell's container");
    logs->add_option("HANDLE", slots.logs.handle, "Container, or guid of a cell's container")
            ->required();
    logs->add_option("PROCESS", slots.logs.process, "Process id; the only one when left out");
    logs->add_flag(
            "-f,--follow", slots.logs.follow, "Go on with what comes until the process ends");
    logs->add_option("-n,--lines", slots.logs.lines, "Only the newest so many lines of each")
            ->check(CLI::NonNegativeNumber);
    logs->callback([&slots] { slots.out.command = slots.logs; });
}

}  // namespace

void add_processes(CLI::App& app, Slots& slots) {
    add_exec(app, slots);
    add_attach(app, slots);
    add_logs(app, slots);
    auto* ps = app.add_subcommand("ps", "List processes");
    ps->add_option("HANDLE", slots.ps.handles, "Containers; all when left out");
    ps->callback([&slots] { slots.out.command = slots.ps; });
    auto* stats = app.add_subcommand(
            "stats", "Print memory, CPU, disk, processes and traffic of containers");
    stats->add_option("HANDLE", slots.stats.handles, "Containers; all when left out");
    stats->callback([&slots] { slots.out.command = slots.stats; });
    auto* copy = app.add_subcommand(
            "cp", "Copy files between a container and this machine: cp HANDLE:PATH PATH, or back");
    copy->add_option(
            "-u,--user", slots.copy.user,
            "User in the container who reads or owns the files; root when left out");
    copy->add_option(
                "SOURCE", slots.copy.source,
                "HANDLE:PATH, a local path, or - for a tar from standard input")
            ->required();
    copy->add_option(
                "DESTINATION", slots.copy.destination,
                "The other side; - for a tar to standard output")
            ->required();
    copy->callback([&slots] { slots.out.command = slots.copy; });
}

}  // namespace cli
