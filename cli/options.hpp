// What was asked for on the command line, as values: one struct per command. Made by arguments.cpp,
// used by the commands.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cli {

struct Global {
    std::string host = "unix:///run/cloche/garden.sock";
    std::string cell = "unix:///run/cloche-cell/cell.sock";
    std::string rep = "tcp://127.0.0.1:1800";
    std::string tls_ca, tls_certificate, tls_key;
    bool json = false;
    bool no_color = false;
};

struct VolumeOption {
    std::string source;
    std::string destination;
    bool writable = false;
};

// What run and container create|plan have in common.
struct ContainerOptions {
    std::string name;
    bool privileged = false;
    bool userns_privileged = false;
    std::vector<std::string> env;
    std::vector<VolumeOption> volumes;
    std::uint64_t memory = 0;
    std::uint64_t cpu_shares = 0;
    std::uint64_t pids = 0;
    std::uint64_t disk = 0;
    std::string network;
    std::string seccomp_file;
    std::string image;
    std::string username, password_file;  // at the image's registry
    std::map<std::string, std::string> properties;
    std::uint64_t grace_seconds = 0;
};

struct ProcessOptions {
    bool detach = false;
    bool interactive = false;
    bool tty = false;
    std::string working_directory;
    std::string user;
    std::vector<std::string> env;
    std::vector<std::string> command;
};

struct RunOptions {
    ContainerOptions container;
    ProcessOptions process;  // env is the container's
    bool remove = false;
};

struct CreateOptions {
    ContainerOptions container;
};

struct PlanOptions {
    ContainerOptions container;
};

struct ListOptions {
    std::vector<std::string> filters;
    bool all = false;
    bool quiet = false;
};

struct InspectOptions {
    std::string handle;
};

struct DestroyOptions {
    std::vector<std::string> handles;
    bool ignore_missing = false;
};

struct ExecOptions {
    std::string handle;
    ProcessOptions process;
};

struct AttachOptions {
    std::string handle, process;
    bool tty = false;
    bool no_stdin = false;
};

struct LogsOptions {
    std::string handle, process;
    bool follow = false;
    std::optional<std::size_t> lines;  // the newest; none: all that is kept
};

struct PsOptions {
    std::vector<std::string> handles;
};

struct StatsOptions {
    std::vector<std::string> handles;
};

struct CopyOptions {
    std::string source, destination, user;
};

struct ImagePullOptions {
    std::string image, username, password_file;
    bool password_stdin = false;
};

struct ImageListOptions {};

struct ImageInspectOptions {
    std::string image;
};

struct ImageRemoveOptions {
    std::vector<std::string> images;
};

struct ImagePruneOptions {
    std::string older_than;
    bool all = false;
};

struct ImageVerifyOptions {
    std::string image;
    bool all = false;
};

struct DenialsOptions {
    std::string handle;
};

struct AuditOptions {
    enum class Target : std::uint8_t { containers, all, host };
    Target target = Target::all;
    std::vector<std::string> handles;
    std::string format = "text";
    std::string output;
    std::string level = "warning";
    std::vector<std::string> rules;
    bool failed = false;
};

struct AuditVerifyOptions {
    std::string file = "/var/lib/cloche/audit";
    std::string key;
};

struct AuditShowOptions {
    std::optional<std::uint64_t> since;
    bool follow = false;
};

struct ConnectionsOptions {
    std::string handle;
};

struct ExplainOptions {
    std::string handle;
    std::string process;
    std::string call, path, device, connect;
    std::string access, protocol;
};

struct DoctorOptions {};

struct FeaturesOptions {};

struct CellStateOptions {};

struct CellContainersOptions {};

struct CellEvacuateOptions {
    bool wait = false;
};

struct CellLogsOptions {
    std::string guid;
    bool follow = false;
    std::optional<std::size_t> lines;
};

struct TaskRunOptions {
    std::string recipe;  // a file, "-" for standard input
    bool local = false;
    std::string guid;
    std::string result;  // file for the result; empty: standard output
    bool keep = false;
    bool quiet = false;
};

using Command = std::variant<
        std::monostate,
        RunOptions,
        CreateOptions,
        PlanOptions,
        ListOptions,
        InspectOptions,
        DestroyOptions,
        ExecOptions,
        AttachOptions,
        LogsOptions,
        PsOptions,
        StatsOptions,
        CopyOptions,
        ImagePullOptions,
        ImageListOptions,
        ImageInspectOptions,
        ImageRemoveOptions,
        ImagePruneOptions,
        ImageVerifyOptions,
        DenialsOptions,
        AuditOptions,
        AuditVerifyOptions,
        AuditShowOptions,
        ConnectionsOptions,
        ExplainOptions,
        DoctorOptions,
        FeaturesOptions,
        CellStateOptions,
        CellContainersOptions,
        CellEvacuateOptions,
        CellLogsOptions,
        TaskRunOptions>;

struct Arguments {
    Global global;
    Command command;
};

}  // namespace cli
