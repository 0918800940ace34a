#include "garden/plan/process_plan.hpp"

#include "base/fail.hpp"
#include "garden/plan/environment.hpp"
#include "garden/plan/launch_plan.hpp"

#include <algorithm>

namespace garden::plan {

namespace {

// ID-01: an id without a mapping would be the overflow id inside, and setuid would fail with
// EINVAL: say it clearly.
base::Result<void> check_mapped(const security::User& user, const ContainerFacts& container) {
    if (!has_user_namespace(container.container_class)) return base::ok;
    const auto check = [&](std::uint32_t id, const char* what) -> base::Result<void> {
        if (id < container.id_length) return base::ok;
        return base::fail(
                base::Errc::invalid, "user: {} {} is outside the container's range 0-{}", what, id,
                container.id_length - 1);
    };
    TRY(check(user.uid, "uid"));
    TRY(check(user.gid, "gid"));
    for (const auto group : user.groups) TRY(check(group, "supplementary group"));
    return base::ok;
}

}  // namespace

std::vector<std::string> candidates_of(std::string_view program, std::string_view path) {
    if (program.find('/') != std::string_view::npos) return {std::string(program)};
    std::vector<std::string> candidates;
    std::size_t begin = 0;
    // Bounded: a long PATH times a long name is not the client's to have in our memory.
    while (begin <= path.size() && candidates.size() < kMaxCandidates) {
        const auto end = std::min(path.find(':', begin), path.size());
        const auto directory = path.substr(begin, end - begin);
        // A relative or empty entry means "the working directory", which the process's owner did
        // not ask for by name.
        if (directory.starts_with('/')) {
            candidates.push_back(
                    std::string(directory) + (directory.ends_with('/') ? "" : "/") +
                    std::string(program));
        }
        begin = end + 1;
    }
    return candidates;
}

base::Result<launch::ProcessPlan> plan_process(
        const ProcessInput& input, const HostFacts& host, const ContainerFacts& container) {
    const auto& spec = *input.spec;
    const auto& user = *input.user;
    TRY(check_mapped(user, container));
    launch::ProcessPlan plan;
    plan.id = spec.id;
    plan.argv.push_back(spec.path);
    plan.argv.insert(plan.argv.end(), spec.args.begin(), spec.args.end());
    plan.env = merge_environment(
            {.image = input.image_env,
             .container = input.container_env,
             .process = &spec.env,
             .user = spec.user,
             .home = user.home,
             .root = user.uid == 0});
    TRY(check_environment_size(plan.env, "env, merged from image, container and process"));
    plan.candidates = candidates_of(spec.path, environment_value(plan.env, "PATH"));
    plan.cwd = spec.dir.empty() ? user.home : spec.dir;
    if (!plan.cwd.starts_with('/')) plan.cwd.insert(0, "/");
    plan.uid = user.uid;
    plan.gid = user.gid;
    plan.groups = user.groups;
    plan.confinement =
            TRY(plan_confinement(host, container, input.no_new_privileges, user.uid, spec.rlimits));
    if (spec.tty) {
        plan.stdio = launch::Stdio::terminal;
        plan.columns = spec.tty->columns == 0 ? std::uint16_t{80} : spec.tty->columns;
        plan.rows = spec.tty->rows == 0 ? std::uint16_t{24} : spec.tty->rows;
    }
    return plan;
}

base::Result<launch::ProcessPlan> plan_helper(
        const HelperInput& input, const HostFacts& host, const ContainerFacts& container) {
    TRY(check_mapped(*input.user, container));
    launch::ProcessPlan plan;
    plan.id = input.id;
    plan.argv = input.argv;
    plan.cwd = "/";
    plan.create_cwd = false;
    plan.uid = input.user->uid;
    plan.gid = input.user->gid;
    plan.confinement =
            TRY(plan_confinement(host, container, input.no_new_privileges, plan.uid, {}));
    plan.stdio = launch::Stdio::descriptors;
    plan.exec = 0;
    plan.stdin_fd = 1;
    plan.stdout_fd = 2;
    plan.stderr_fd = 3;
    plan.internal = true;
    return plan;
}

}  // namespace garden::plan
