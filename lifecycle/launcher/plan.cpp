#include "lifecycle/launcher/plan.hpp"

#include "base/sys/error.hpp"

#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

namespace lifecycle {

namespace {

using Json = nlohmann::json;

// Arguments: the app's directory, the command, and what the buildpack puts in front of it. The
// paths are absolute and the words kept under names of our own, since a sourced script may change
// the directory and the positional parameters. A script that exits ends the app: it says why.
constexpr std::string_view kDropletScript = R"(cd "$1" || exit 4
launcher_app=$1 launcher_command=$2 launcher_prefix=$3
for launcher_file in "$1"/../profile.d/* "$1"/.profile.d/* "$1"/.profile; do
  if [ -f "$launcher_file" ]; then source "$launcher_file"; fi
done
unset launcher_file
if [ -n "$launcher_prefix" ]; then exec "$launcher_prefix" "$launcher_command"; fi
exec bash -c "$launcher_command"
)";

base::Error invalid(std::string text) {
    return base::sys::plain_error(base::Errc::invalid, std::move(text));
}

base::Error nothing_to_run() {
    return base::sys::plain_error(
            base::Errc::not_found, "no start command was given, and staging has found none");
}

// execve would take what stands in front of it and lose the rest.
bool holds_nul(const Json& text) {
    return text.get_ref<const std::string&>().find('\0') != std::string::npos;
}

// An object, empty for an empty text.
base::Result<Json> parse_object(std::string_view text, std::string_view what) {
    if (text.empty()) return Json::object();
    auto out = Json::parse(text, nullptr, false);
    if (!out.is_object()) return invalid(std::string(what).append(" is not a JSON object"));
    return out;
}

base::Result<std::string> text_of(const Json& object, const char* name, std::string_view what) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return std::string();
    if (!found->is_string())
        return invalid(std::string(what).append(": ").append(name).append(" is not a text"));
    if (holds_nul(*found))
        return invalid(std::string(what).append(": ").append(name).append(" holds a NUL"));
    return found->get_ref<const std::string&>();
}

base::Result<std::vector<std::string>> words_of(const Json& object, const char* name) {
    std::vector<std::string> out;
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return out;
    const auto wrong =
            invalid(std::string("the metadata: ").append(name).append(" is not a list of texts"));
    if (!found->is_array()) return wrong;
    for (const auto& word : *found) {
        if (!word.is_string() || holds_nul(word)) return wrong;
        out.push_back(word.get_ref<const std::string&>());
    }
    return out;
}

base::Result<Launch> plan_droplet(
        const LaunchRequest& request, const Json& metadata, Environment environment) {
    constexpr std::string_view kInfo = "staging_info.yml";
    const auto info = TRY(parse_object(request.staging_info, kInfo));
    auto command = request.command;
    if (command.empty()) command = TRY(text_of(metadata, "start_command", "the metadata"));
    if (command.empty()) command = TRY(text_of(info, "start_command", kInfo));
    if (command.empty()) return nothing_to_run();
    std::string prefix;
    if (const auto config = info.find("config"); config != info.end() && config->is_object())
        prefix = TRY(text_of(*config, "entrypoint_prefix", kInfo));
    const auto& app = request.app_directory;
    environment.set("HOME", app);
    environment.set("TMPDIR", absolute_path("../tmp", app));
    environment.set("DEPS_DIR", absolute_path("../deps", app));
    Launch out{.directory = app, .argv = {}, .environment = std::move(environment)};
    out.argv = {"bash", "-c", std::string(kDropletScript), "launcher", app, command, prefix};
    return out;
}

base::Result<Launch> plan_image(
        const LaunchRequest& request, const Json& metadata, Environment environment) {
    Launch out{.directory = "/", .argv = {}, .environment = std::move(environment)};
    const auto directory = TRY(text_of(metadata, "workdir", "the metadata"));
    if (!directory.empty()) out.directory = directory;
    if (!request.command.empty()) {
        out.argv = {"/bin/sh", "-c", request.command};
        return out;
    }
    out.argv = TRY(words_of(metadata, "entrypoint"));
    const auto cmd = TRY(words_of(metadata, "cmd"));
    out.argv.insert(out.argv.end(), cmd.begin(), cmd.end());
    if (out.argv.empty()) return nothing_to_run();
    return out;
}

}  // namespace

base::Result<Launch> plan_launch(const LaunchRequest& request, const Environment& environment) {
    const auto metadata = TRY(parse_object(request.metadata, "the metadata"));
    const bool droplet = !request.staging_info.empty() || metadata.contains("start_command");
    return droplet ? plan_droplet(request, metadata, environment)
                   : plan_image(request, metadata, environment);
}

std::string absolute_path(std::string_view path, std::string_view current_directory) {
    auto out = (std::filesystem::path(current_directory) / path).lexically_normal().string();
    if (out.size() > 1 && out.ends_with('/')) out.pop_back();
    return out;
}

std::vector<std::string> candidates(const std::string& program, std::string_view path) {
    if (program.find('/') != std::string::npos) return {program};
    std::vector<std::string> out;
    if (path.empty()) path = kSystemPath;
    for (;;) {
        const auto colon = path.find(':');
        const auto directory = path.substr(0, colon);
        // An empty part means the working directory to old shells; nobody means it.
        if (!directory.empty()) out.push_back(std::string(directory).append("/").append(program));
        if (colon == std::string_view::npos) return out;
        path.remove_prefix(colon + 1);
    }
}

}  // namespace lifecycle
