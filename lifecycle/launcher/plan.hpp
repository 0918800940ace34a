// From the launcher's three arguments to the program that becomes the app (edges 4.3). Pure but for
// what it is given. Used by launcher's main().
#pragma once

#include "base/result.hpp"
#include "lifecycle/launcher/environment.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lifecycle {

inline constexpr std::string_view kSystemPath =
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Two kinds of apps, told apart by what staging left behind: a droplet has staging_info.yml beside
// the app's directory (or a start command in the metadata), an image has neither.
//
//   droplet: HOME, TMPDIR and DEPS_DIR, the profile scripts, then the command by bash
//   image:   the image's working directory, then the command by sh, or entrypoint and cmd as they
//            are: an image may have no shell
struct LaunchRequest {
    std::string app_directory;  // absolute, as "." and ".." in it mean
    std::string command;        // "" = what staging found
    std::string metadata;       // "", "{}" or the execution metadata
    std::string staging_info;   // text of the droplet's staging_info.yml; "" = there is none
};

struct Launch {
    std::string directory;
    std::vector<std::string> argv;  // argv[0] is looked for in PATH when it has no slash
    Environment environment;
};

// Errc::invalid: something does not read; Errc::not_found: there is nothing to run.
base::Result<Launch> plan_launch(const LaunchRequest& request, const Environment& environment);

// "/home/vcap/app" from "app" in /home/vcap: absolute, without "." and "..".
std::string absolute_path(std::string_view path, std::string_view current_directory);

// Where execve is tried, in order.
std::vector<std::string> candidates(const std::string& program, std::string_view path);

}  // namespace lifecycle
