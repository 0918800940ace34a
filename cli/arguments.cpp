#include "cli/arguments.hpp"

#include "base/fail.hpp"
#include "base/version.hpp"
#include "cli/arguments_registry.hpp"
#include "cli/exit_code.hpp"
#include "cli/human.hpp"

#include <algorithm>

namespace cli {

namespace {

constexpr const char* kFooter =
        "\nThe daemon is reached at --host, else $CLOCHE_HOST, else "
        "unix:///run/cloche/garden.sock; a cell at --cell and\n"
        "--rep, else $CLOCHE_CELL and $CLOCHE_REP.\n"
        "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 daemon not reachable. run, exec and "
        "attach return the code\n"
        "of the process (128 + signal when killed); 125, 126, 127 when it could not be started.";

template <class T>
T checked(base::Result<T> result, const std::string& flag) {
    if (!result) throw CLI::ValidationError(flag, result.error().text);
    return std::move(result).value();
}

}  // namespace

base::Result<VolumeOption> parse_volume(std::string_view text) {
    const auto bad = [&](std::string_view why) {
        return base::fail(
                base::Errc::invalid, "volume '{}': {}. hint: write /host/path:/container/path[:rw]",
                text, why);
    };
    const auto first = text.find(':');
    if (first == std::string_view::npos) return bad("no ':'");
    VolumeOption volume;
    volume.source = text.substr(0, first);
    auto rest = text.substr(first + 1);
    const auto second = rest.find(':');
    volume.destination = rest.substr(0, second);
    if (second != std::string_view::npos) {
        const auto mode = rest.substr(second + 1);
        if (mode != "rw" && mode != "ro") return bad("the mode is neither rw nor ro");
        volume.writable = mode == "rw";
    }
    if (!volume.source.starts_with('/') || !volume.destination.starts_with('/'))
        return bad("both paths must be absolute");
    return volume;
}

void add_registry_flags(CLI::App& app, std::string& username, std::string& password_file) {
    auto* user = app.add_option("--username", username, "User at the image's registry");
    app.add_option("--password-file", password_file, "File with the user's password")->needs(user);
}

void add_container_flags(CLI::App& app, RawContainer& raw) {
    auto& options = raw.options;
    app.add_option("--name", options.name, "Handle of the container; a random one when left out");
    auto* privileged = app.add_flag(
            "--privileged", options.privileged,
            "Root of the host with a thin filter; no isolation from the host's root");
    app.add_flag(
               "--userns-privileged", options.userns_privileged,
               "All capabilities, but in a user namespace of its own")
            ->excludes(privileged);
    app.add_option("-e,--env", options.env, "KEY=VALUE for every process; may be repeated")
            ->take_all()
            ->allow_extra_args(false);
    app.add_option(
               "-v,--volume", raw.volumes,
               "HOST:CONTAINER[:rw] bind mount, read-only by default; may be repeated")
            ->allow_extra_args(false);
    app.add_option("-m,--memory", raw.memory, "Memory limit, as 512m or 2g");
    app.add_option(
            "--cpu-shares", options.cpu_shares, "Relative CPU shares (1024 = one usual share)");
    app.add_option("--pids", options.pids, "Limit of processes and threads");
    app.add_option("--disk", raw.disk, "Disk quota beyond the image, as 1g");
    app.add_option(
            "--net", options.network,
            "Subnet or address of the container, as 10.254.1.0/30, or 'none'");
    app.add_option(
            "--seccomp", options.seccomp_file,
            "OCI seccomp profile (JSON file) in place of the default");
    add_registry_flags(app, options.username, options.password_file);
    app.add_option(
               "--property", raw.properties, "KEY=VALUE kept with the container; may be repeated")
            ->allow_extra_args(false);
    app.add_option(
            "--grace-time", options.grace_seconds,
            "Seconds without use after which it is destroyed; 0 = the daemon's default");
}

void add_process_flags(CLI::App& app, ProcessOptions& process) {
    app.add_flag("-i,--interactive", process.interactive, "Pass standard input on");
    app.add_flag("-t,--tty", process.tty, "Give the process a terminal");
    app.add_flag("-d,--detach", process.detach, "Leave the process running and print its name");
    app.add_option(
            "-w,--workdir", process.working_directory, "Working directory; created when missing");
    app.add_option("-u,--user", process.user, "User or uid, with an optional :group");
}

void check_env(const std::vector<std::string>& env) {
    for (const auto& text : env)
        if (text.find('=') == std::string::npos || text.front() == '=')
            throw CLI::ValidationError("--env", "'" + text + "' is not KEY=VALUE");
}

ContainerOptions finish_container(RawContainer& raw) {
    auto options = raw.options;
    for (const auto& text : raw.volumes)
        options.volumes.push_back(checked(parse_volume(text), "--volume"));
    if (!raw.memory.empty())
        options.memory = checked(parse_bytes(raw.memory, "memory"), "--memory");
    if (!raw.disk.empty()) options.disk = checked(parse_bytes(raw.disk, "disk"), "--disk");
    for (const auto& text : raw.properties) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0)
            throw CLI::ValidationError("--property", "'" + text + "' is not KEY=VALUE");
        options.properties[text.substr(0, equals)] = text.substr(equals + 1);
    }
    check_env(options.env);
    return options;
}

base::Result<Parsed> parse_arguments(
        std::vector<std::string> arguments,
        std::string_view environment_host,
        std::string_view environment_cell,
        std::string_view environment_rep) {
    CLI::App app("Containers on this machine, by the Garden API of gardend.", "cloche");
    Slots slots;
    auto& global = slots.out.global;
    if (!environment_host.empty()) global.host = environment_host;
    if (!environment_cell.empty()) global.cell = environment_cell;
    if (!environment_rep.empty()) global.rep = environment_rep;
    app.set_version_flag("--version", "cloche " + std::string(base::version()));
    app.add_option(
            "-H,--host", global.host,
            "Address of gardend: unix:///path, tcp://host:port or tls://host:port");
    app.add_option(
            "--cell", global.cell,
            "Address of a cell's containers; unix:///run/cloche-cell/cell.sock when left out");
    app.add_option(
            "--rep", global.rep,
            "Address of a cell's representative; tcp://127.0.0.1:1800 when left out");
    app.add_option(
            "--tls-ca", global.tls_ca,
            "tls: PEM file of the authority that signed the daemon's certificate");
    app.add_option("--tls-cert", global.tls_certificate, "tls: PEM file of our certificate");
    app.add_option("--tls-key", global.tls_key, "tls: PEM file of our key");
    app.add_flag("--json", global.json, "Print JSON in place of tables");
    app.add_flag("--no-color", global.no_color, "No colours, also on a terminal");
    app.fallthrough();
    app.require_subcommand(1);
    app.footer(kFooter);
    add_run(app, slots);
    add_processes(app, slots);
    add_container(app, slots);
    add_image(app, slots);
    add_host(app, slots);
    add_audit(app, slots);
    add_cell(app, slots);
    add_task(app, slots);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::Success& success) {
        std::ostringstream out, error;
        (void)app.exit(success, out, error);
        return Parsed{.arguments = {}, .print = out.str()};
    } catch (const CLI::RequiredError& error) {
        // What is missing is often what was mistyped.
        const auto rest = app.remaining(true);
        return base::fail(
                base::Errc::invalid, "{}{}", error.what(),
                rest.empty() ? "" : "; not understood: '" + rest.front() + "'");
    } catch (const CLI::Error& error) {
        return base::fail(base::Errc::invalid, "{}", error.what());
    }
    return Parsed{.arguments = std::move(slots.out), .print = {}};
}

}  // namespace cli
