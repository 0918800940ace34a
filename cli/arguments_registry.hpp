// The pieces of the command line, one function per group of commands. Private to
// cli/arguments*.cpp; includes CLI11.
#pragma once

#include "cli/options.hpp"

#include <CLI/CLI.hpp>

namespace cli {

// Flags that need a conversion which CLI11 cannot report in our words; converted after parsing.
struct RawContainer {
    ContainerOptions options;
    std::vector<std::string> volumes, properties;
    std::string memory, disk;
};

// Where CLI11 writes to; a command's callback copies its part to `out.command`.
struct Slots {
    RunOptions run;
    RawContainer run_container, create_container, plan_container;
    ListOptions list;
    InspectOptions inspect;
    DestroyOptions destroy;
    ExecOptions exec;
    AttachOptions attach;
    LogsOptions logs;
    PsOptions ps;
    StatsOptions stats;
    CopyOptions copy;
    ImagePullOptions pull;
    ImageInspectOptions image_inspect;
    ImageRemoveOptions image_remove;
    ImagePruneOptions image_prune;
    ImageVerifyOptions image_verify;
    DenialsOptions denials;
    AuditOptions audit;
    AuditVerifyOptions audit_verify;
    AuditShowOptions audit_show;
    ConnectionsOptions connections;
    ExplainOptions explain;
    CellEvacuateOptions cell_evacuate;
    CellLogsOptions cell_logs;
    TaskRunOptions task_run;
    Arguments out;
};

void add_run(CLI::App& app, Slots& slots);
void add_container(CLI::App& app, Slots& slots);
void add_container_evidence(CLI::App& container, Slots& slots);
void add_processes(CLI::App& app, Slots& slots);
void add_audit_log(CLI::App& audit, Slots& slots);
void add_image(CLI::App& app, Slots& slots);
void add_host(CLI::App& app, Slots& slots);
void add_audit(CLI::App& app, Slots& slots);
void add_cell(CLI::App& app, Slots& slots);
void add_task(CLI::App& app, Slots& slots);

void add_registry_flags(CLI::App& app, std::string& username, std::string& password_file);
void add_container_flags(CLI::App& app, RawContainer& raw);
void add_process_flags(CLI::App& app, ProcessOptions& process);
// Throws CLI::ValidationError with the text of the Result: CLI11 reports by exceptions,
// parse_arguments catches them.
ContainerOptions finish_container(RawContainer& raw);
void check_env(const std::vector<std::string>& env);

}  // namespace cli
