// The operator's plugins in the configuration: a network and an image plugin of Garden
// (garden-behaviours C.7, C.8).
#include "base/fail.hpp"
#include "garden/server/settings.hpp"

namespace garden::server {

void declare_plugins(base::config::Schema& schema, Settings& s) {
    auto& network = s.engine.network_plugin;
    schema.add(
            {.key = "network.plugin",
             .flag = "network-plugin",
             .help = "Program that connects containers, instead of the built-in network",
             .value = "PATH"},
            network.program);
    schema.add(
            {.key = "network.plugin_arguments",
             .flag = "network-plugin-extra-arg",
             .help = "Argument of --network-plugin, before Garden's",
             .value = "WORD"},
            network.arguments);
    auto& image = s.engine.image_plugin;
    schema.add(
            {.key = "images.plugin",
             .flag = "image-plugin",
             .help = "Program that makes root file systems, instead of the built-in images",
             .value = "PATH"},
            image.unprivileged.path);
    schema.add(
            {.key = "images.plugin_arguments",
             .flag = "image-plugin-extra-arg",
             .help = "Argument of --image-plugin, before Garden's",
             .value = "WORD"},
            image.unprivileged.arguments);
    schema.add(
            {.key = "images.privileged_plugin",
             .flag = "privileged-image-plugin",
             .help = "--image-plugin of privileged containers; without it, the same",
             .value = "PATH"},
            image.privileged.path);
    schema.add(
            {.key = "images.privileged_plugin_arguments",
             .flag = "privileged-image-plugin-extra-arg",
             .help = "Argument of --privileged-image-plugin, before Garden's",
             .value = "WORD"},
            image.privileged.arguments);
}

base::Result<void> check_plugins(const Settings& settings) {
    const auto check = [](const char* flag, const std::string& path) -> base::Result<void> {
        if (path.empty() || path.starts_with('/')) return base::ok;
        return base::fail(
                base::Errc::invalid, "--{}: '{}' is no absolute path", flag, path.substr(0, 256));
    };
    TRY(check("network-plugin", settings.engine.network_plugin.program));
    TRY(check("image-plugin", settings.engine.image_plugin.unprivileged.path));
    TRY(check("privileged-image-plugin", settings.engine.image_plugin.privileged.path));
    const auto& image = settings.engine.image_plugin;
    if (image.unprivileged.path.empty() && !image.privileged.path.empty()) {
        return base::fail(
                base::Errc::invalid, "--privileged-image-plugin: there is no --image-plugin");
    }
    return base::ok;
}

}  // namespace garden::server
