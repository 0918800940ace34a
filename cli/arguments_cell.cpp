#include "cli/arguments_registry.hpp"

namespace cli {

// `cloche cell …` and `cloche task …`: what speaks to a cell and not to gardend.

namespace {

constexpr const char* kGroup = "Subcommands of a cell";

void add_cell_logs(CLI::App& cell, Slots& slots) {
    auto* logs = cell.add_subcommand("logs", "Print the kept lines of a container's log");
    logs->add_option("GUID", slots.cell_logs.guid, "Container of the cell")->required();
    logs->add_flag(
            "-f,--follow", slots.cell_logs.follow,
            "Go on with what comes until the container is deleted");
    logs->add_option("-n,--lines", slots.cell_logs.lines, "Begin with the newest so many lines")
            ->check(CLI::NonNegativeNumber);
    logs->callback([&slots] { slots.out.command = slots.cell_logs; });
}

}  // namespace

void add_cell(CLI::App& app, Slots& slots) {
    auto* cell = app.add_subcommand("cell", "Look at a cell and evacuate it");
    cell->require_subcommand(1);
    cell->add_subcommand("state", "Print what the cell offers and what work it has")
            ->callback([&slots] { slots.out.command = CellStateOptions{}; });
    cell->add_subcommand("containers", "List the containers of the cell")->callback([&slots] {
        slots.out.command = CellContainersOptions{};
    });
    add_cell_logs(*cell, slots);
    auto* evacuate = cell->add_subcommand(
            "evacuate", "Let the cell's work move elsewhere, and the cell end after that");
    evacuate->add_flag(
            "--wait", slots.cell_evacuate.wait,
            "Wait until the cell is empty or gone; progress goes to standard error");
    evacuate->callback([&slots] { slots.out.command = slots.cell_evacuate; });
    cell->group(kGroup);  // last: what is added later would be of the same group
}

void add_task(CLI::App& app, Slots& slots) {
    auto* task = app.add_subcommand("task", "Run a task");
    task->require_subcommand(1);
    auto* run = task->add_subcommand(
            "run", "Run a task to its end: exit code 0 when it succeeded, 1 when it failed");
    auto& options = slots.task_run;
    run->add_option("RECIPE", options.recipe, "JSON file: a run request or a task; - reads stdin")
            ->required();
    run->add_flag("--local", options.local, "On one cell, without a brain; always needed so far");
    run->add_option("--guid", options.guid, "Its guid, in place of the recipe's or a random one");
    run->add_option(
            "--result", options.result,
            "Write the result file's content here, not to standard output");
    run->add_flag("--keep", options.keep, "Leave the container when the task has ended");
    run->add_flag("-q,--quiet", options.quiet, "Leave out what the cell says");
    run->callback([&slots] {
        if (!slots.task_run.local)
            throw CLI::ValidationError("task run", "only cells are known yet. hint: add --local");
        slots.out.command = slots.task_run;
    });
    task->group(kGroup);
}

}  // namespace cli
