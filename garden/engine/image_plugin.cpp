#include "garden/engine/image_plugin.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/program.hpp"

#include <algorithm>

namespace garden {

namespace {

using base::json::Fields;
using base::json::Node;
using base::json::Unknown;

constexpr std::size_t kMaxAnswer = std::size_t{1} << 20;
constexpr std::size_t kMaxMounts = 64;

struct Root {
    std::string path;
};

base::Result<void> from_json(const Node& node, Root& out) {
    return Fields(node).required("path", out.path).finish(Unknown::ignore);
}

struct Process {
    std::vector<std::string> env;
};

base::Result<void> from_json(const Node& node, Process& out) {
    return Fields(node).optional("env", out.env).finish(Unknown::ignore);
}

struct Mount {
    std::string destination, type, source;
    std::vector<std::string> options;
};

base::Result<void> from_json(const Node& node, Mount& out) {
    return Fields(node)
            .required("destination", out.destination)
            .optional("type", out.type)
            .optional("source", out.source)
            .optional("options", out.options)
            .finish(Unknown::ignore);
}

struct Runtime {
    Root root;
    Process process;
    std::vector<Mount> mounts;
};

base::Result<void> from_json(const Node& node, Runtime& out) {
    return Fields(node)
            .required("root", out.root)
            .optional("process", out.process)
            .optional("mounts", out.mounts)
            .finish(Unknown::ignore);
}

struct Used {
    std::uint64_t total_bytes_used = 0;
    std::uint64_t exclusive_bytes_used = 0;
};

base::Result<void> from_json(const Node& node, Used& out) {
    return Fields(node)
            .required("total_bytes_used", out.total_bytes_used)
            .required("exclusive_bytes_used", out.exclusive_bytes_used)
            .finish(Unknown::ignore);
}

struct Stats {
    Used disk_usage;
};

base::Result<void> from_json(const Node& node, Stats& out) {
    return Fields(node).required("disk_usage", out.disk_usage).finish(Unknown::ignore);
}

struct Room {
    std::uint64_t capacity = 0;
};

base::Result<void> from_json(const Node& node, Room& out) {
    return Fields(node).required("capacity", out.capacity).finish(Unknown::ignore);
}

bool has(const std::vector<std::string>& options, std::string_view word) {
    return std::find(options.begin(), options.end(), word) != options.end();
}

base::Result<BindMountSpec> to_bind(std::size_t index, const Mount& mount) {
    if (mount.type != "bind" && !has(mount.options, "bind") && !has(mount.options, "rbind")) {
        return base::fail(
                base::Errc::unsupported, "mounts[{}].type: expected bind, got '{}'", index,
                mount.type.substr(0, 64));
    }
    if (!mount.source.starts_with('/')) {
        return base::fail(
                base::Errc::invalid, "mounts[{}].source: '{}' is no absolute path", index,
                mount.source.substr(0, 256));
    }
    return BindMountSpec{
            .source = mount.source,
            .destination = mount.destination,
            .writable = !has(mount.options, "ro"),
            .origin_container = false};
}

}  // namespace

base::Result<ImagePlugin::Made> parse_made(std::string_view text) {
    auto runtime =
            TRY(base::json::decode<Runtime>(text, base::json::Rest::ignore, {.bytes = kMaxAnswer}));
    if (!runtime.root.path.starts_with('/')) {
        return base::fail(
                base::Errc::invalid, "root.path: '{}' is no absolute path",
                runtime.root.path.substr(0, 256));
    }
    if (runtime.mounts.size() > kMaxMounts) {
        return base::fail(
                base::Errc::invalid, "mounts: {} of them, at most {}", runtime.mounts.size(),
                kMaxMounts);
    }
    ImagePlugin::Made made{
            .root = std::move(runtime.root.path), .env = std::move(runtime.process.env)};
    for (std::size_t i = 0; i < runtime.mounts.size(); ++i)
        made.mounts.push_back(TRY(to_bind(i, runtime.mounts[i])));
    return made;
}

ImagePlugin::ImagePlugin(ImagePluginConfig config) : config_(std::move(config)) {
    if (config_.privileged.path.empty()) config_.privileged = config_.unprivileged;
}

base::Result<std::string> ImagePlugin::call(
        const ImagePluginConfig::Program& program,
        std::vector<std::string> words,
        std::chrono::milliseconds deadline) const {
    const std::string action = words.front();
    base::ProgramCall call{
            .path = program.path,
            .arguments = program.arguments,
            .environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            .input = "",
            .output_limit = kMaxAnswer,
            .deadline = deadline};
    for (auto& word : words) call.arguments.push_back(std::move(word));
    auto end = base::run_program(call);
    if (!end) return std::move(end.error()).context(base::format("image plugin: {}", action));
    if (end->code != 0) {
        // Grootfs tells its reason on its standard output.
        return base::fail(
                base::Errc::unavailable, "image plugin: {}: exit status {}: {}", action, end->code,
                end->complaint.empty() ? end->output.substr(0, 4096) : end->complaint);
    }
    return std::move(end->output);
}

base::Result<ImagePlugin::Made> ImagePlugin::create(const Request& request) const {
    std::vector<std::string> words{"create"};
    if (request.disk_bytes > 0) {
        words.insert(words.end(), {"--disk-limit-size-bytes", std::to_string(request.disk_bytes)});
        if (request.disk_scope == DiskScope::exclusive)
            words.emplace_back("--exclude-image-from-quota");
    }
    // As Garden has it; the command line of a process is everybody's on the host (docs say so).
    if (!request.image.username.empty())
        words.insert(words.end(), {"--username", request.image.username});
    if (!request.image.password.empty())
        words.insert(words.end(), {"--password", request.image.password});
    std::string uri = request.image.uri;
    if (const auto hash = uri.find('#'); hash != std::string::npos) uri[hash] = ':';
    words.insert(words.end(), {uri, request.handle.get()});
    const auto answer = TRY(call(program(request.privileged), std::move(words), config_.deadline));
    return parse_made(answer).context("image plugin: create");
}

base::Result<void> ImagePlugin::destroy(const Handle& handle) const {
    TRY(call(config_.unprivileged, {"delete", handle.get()}, config_.short_deadline));
    if (config_.privileged.path != config_.unprivileged.path ||
        config_.privileged.arguments != config_.unprivileged.arguments)
        TRY(call(config_.privileged, {"delete", handle.get()}, config_.short_deadline));
    return base::ok;
}

base::Result<rootfs::Usage> ImagePlugin::usage(const Handle& handle, bool privileged) const {
    const auto answer =
            TRY(call(program(privileged), {"stats", handle.get()}, config_.short_deadline));
    const auto stats = TRY(base::json::decode<Stats>(answer, base::json::Rest::ignore)
                                   .context("image plugin: stats"));
    return rootfs::Usage{
            .total_bytes = stats.disk_usage.total_bytes_used,
            .exclusive_bytes = stats.disk_usage.exclusive_bytes_used};
}

base::Result<std::uint64_t> ImagePlugin::capacity() const {
    const auto answer = TRY(call(config_.unprivileged, {"capacity"}, config_.short_deadline));
    return TRY(base::json::decode<Room>(answer, base::json::Rest::ignore)
                       .context("image plugin: capacity"))
            .capacity;
}

}  // namespace garden
