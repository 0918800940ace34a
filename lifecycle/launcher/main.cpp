// launcher: becomes the app of a container (edges 4.3).
//
//   launcher APP_DIRECTORY "START COMMAND or nothing" "EXECUTION METADATA, {} or nothing"
#include "base/sys/error.hpp"
#include "base/sys/file.hpp"
#include "lifecycle/launcher/plan.hpp"

#include <errno.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

extern char** environ;

namespace {

// Exit codes: others read them.
constexpr int kNothingToRun = 1;  // and a bad command line
constexpr int kBadEnvironment = 3;
constexpr int kCannotRun = 4;

int give_up(const base::Error& error, int code) {
    std::fprintf(stderr, "launcher: %s\n", error.text.c_str());
    return code;
}

base::Result<lifecycle::LaunchRequest> read_request(const char* const* argv) {
    std::error_code error;
    const auto current = std::filesystem::current_path(error);
    if (error) return base::sys::errno_error("the working directory", error.value());
    lifecycle::LaunchRequest out{
            .app_directory = lifecycle::absolute_path(argv[1], current.string()),
            .command = argv[2],
            .metadata = argv[3],
            .staging_info = {}};
    const auto path = lifecycle::absolute_path("../staging_info.yml", out.app_directory);
    auto info = base::sys::read_host_file(path);
    const bool absent = !info && (info.error().sys == ENOENT || info.error().sys == ENOTDIR);
    if (!info && !absent) return std::move(info).error();
    if (info) out.staging_info = std::move(*info);
    return out;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (auto& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
}

// Returns only when it fails. Not execvp: that hands what is no program to /bin/sh, and an image
// without a shell would then complain about the wrong file.
base::Error become(const lifecycle::Launch& launch) {
    if (::chdir(launch.directory.c_str()) != 0)
        return base::sys::errno_error("enter the directory " + launch.directory);
    auto words = launch.argv;
    auto variables = launch.environment.words();
    const auto argv = pointers(words);
    const auto envp = pointers(variables);
    int worst = ENOENT;
    for (const auto& path : lifecycle::candidates(launch.argv[0], launch.environment.get("PATH"))) {
        (void)::execve(path.c_str(), argv.data(), envp.data());
        if (errno == ENOENT || errno == ENOTDIR) continue;
        worst = errno;
        // Another directory of PATH may have one that may be run.
        if (errno != EACCES) break;
    }
    return base::sys::errno_error("run " + launch.argv[0], worst);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fputs(
                "launcher: received only a part of the arguments\n"
                "usage: launcher APP_DIRECTORY START_COMMAND EXECUTION_METADATA\n",
                stderr);
        return kNothingToRun;
    }
    const auto request = read_request(argv);
    if (!request) return give_up(request.error(), kNothingToRun);
    lifecycle::Environment environment(environ);
    const auto described = lifecycle::describe_app(environment);
    if (!described) return give_up(described.error(), kBadEnvironment);
    const auto launch = lifecycle::plan_launch(*request, environment);
    if (!launch) return give_up(launch.error(), kNothingToRun);
    return give_up(become(*launch), kCannotRun);
}
