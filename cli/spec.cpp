#include "cli/spec.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "cli/image_name.hpp"
#include "cli/terminal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace cli {

base::Result<std::string> read_password(base::FdRef file) {
    constexpr std::size_t kMaxPassword = 64 * 1024;
    auto text = TRY(base::sys::read_all(file, kMaxPassword));
    text.resize(std::min(text.find_first_of("\r\n"), text.size()));
    return text;
}

base::Result<std::string> read_password_file(const std::string& path) {
    const auto file = TRY(base::sys::open_host(path, O_RDONLY).context("--password-file"));
    return read_password(file).context("--password-file");
}

base::Result<garden::api::ContainerSpec> container_spec(const ContainerOptions& options) {
    garden::api::ContainerSpec spec;
    spec.handle = options.name;
    spec.grace_time = static_cast<std::int64_t>(
                              std::min<std::uint64_t>(options.grace_seconds, 9'000'000'000)) *
                      1'000'000'000;
    if (!options.image.empty()) {
        std::error_code error;
        const auto here = std::filesystem::current_path(error).string();
        spec.image.uri = TRY(image_uri(options.image, here));
    }
    spec.image.username = options.username;
    if (!options.password_file.empty())
        spec.image.password = TRY(read_password_file(options.password_file));
    for (const auto& volume : options.volumes)
        spec.bind_mounts.push_back(
                {.src_path = volume.source,
                 .dst_path = volume.destination,
                 .mode = volume.writable ? 1U : 0U,
                 .origin = 0});
    spec.network = options.network;
    spec.properties = options.properties;
    spec.env = options.env;
    spec.privileged = options.privileged;
    spec.limits.memory_limits.limit_in_bytes = options.memory;
    spec.limits.cpu_limits.limit_in_shares = options.cpu_shares;
    spec.limits.pid_limits.max = options.pids;
    spec.limits.disk_limits.byte_hard = options.disk;
    spec.limits.disk_limits.scope = options.disk > 0 ? 1 : 0;
    if (options.userns_privileged) spec.cloche.container_class = "privileged_in_userns";
    if (!options.seccomp_file.empty())
        spec.cloche.seccomp_profile =
                TRY(base::sys::read_host_file(options.seccomp_file).context("--seccomp"));
    return spec;
}

TerminalWish terminal_wish(bool wanted) {
    TerminalWish wish{.wanted = wanted};
    if (!wanted) return wish;
    if (const auto size = terminal_size(base::FdRef(STDOUT_FILENO))) {
        wish.columns = size->columns;
        wish.rows = size->rows;
    }
    const char* type = std::getenv("TERM");
    wish.type = type != nullptr && *type != 0 ? type : "xterm";
    return wish;
}

base::Result<garden::api::ProcessSpec> process_spec(
        const ProcessOptions& options,
        const garden::api::ImageConfig* image,
        const TerminalWish& terminal) {
    auto command = options.command;
    if (command.empty() && image != nullptr) {
        command = image->entrypoint;
        command.insert(command.end(), image->cmd.begin(), image->cmd.end());
    }
    if (command.empty())
        return base::fail(
                base::Errc::invalid,
                "no command: the image names none. hint: write it behind the image");
    garden::api::ProcessSpec spec;
    spec.path = command.front();
    spec.args.assign(command.begin() + 1, command.end());
    spec.env = options.env;
    spec.dir = options.working_directory;
    spec.user = options.user;
    if (image != nullptr) {
        if (spec.dir.empty()) spec.dir = image->working_dir;
        if (spec.user.empty()) spec.user = image->user;
    }
    if (!terminal.wanted) return spec;
    spec.tty = garden::api::Tty{
            .window_size =
                    garden::api::WindowSize{.columns = terminal.columns, .rows = terminal.rows}};
    const bool given = std::any_of(spec.env.begin(), spec.env.end(), [](const auto& each) {
        return each.starts_with("TERM=");
    });
    if (!given && !terminal.type.empty()) spec.env.push_back("TERM=" + terminal.type);
    return spec;
}

base::Result<std::string> choose_process(
        const std::vector<garden::api::ProcessRow>& rows, const std::string& given, bool running) {
    if (!given.empty()) return given;
    std::vector<std::string> ids;
    for (const auto& row : rows) {
        if (running && row.exited) continue;
        if (row.id == kMainProcess) return row.id;
        ids.push_back(row.id);
    }
    if (ids.size() == 1) return ids.front();
    const std::string kind = running ? "running process" : "process";
    if (ids.empty()) return base::fail(base::Errc::not_found, "the container has no {}", kind);
    std::string names;
    for (const auto& id : ids) names.append(names.empty() ? "" : ", ").append(id);
    return base::fail(
            base::Errc::invalid, "which {}? there are {}. hint: name one behind the handle", kind,
            names);
}

}  // namespace cli
