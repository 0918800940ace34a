// Section 9.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace garden::audit {

namespace {

Verdict descriptors(const Outside& outside) {
    Offenders offenders;
    for (const auto& process : outside.processes) {
        for (const auto& descriptor : process.descriptors)
            if (descriptor.foreign)
                offenders.add(base::format(
                        "{} descriptor {}: {}", name_of(process), descriptor.number,
                        descriptor.target));
    }
    return offenders.verdict("none", "none", "/proc/<pid>/fd, fdinfo mnt_id");
}

Verdict inherited(const Inside& inside) {
    std::set<int> numbers;
    for (const auto& descriptor : inside.descriptors) numbers.insert(descriptor.number);
    std::string seen;
    for (const int number : numbers) seen += (seen.empty() ? "" : " ") + std::to_string(number);
    return {.ok = numbers == std::set{0, 1, 2},
            .observed = seen,
            .expected = "0 1 2",
            .source = "inside: /proc/self/fd"};
}

Verdict programs(const Outside& outside) {
    Offenders offenders;
    for (const auto& process : outside.processes) {
        if (!process.program) continue;
        const auto found = outside.engine_programs.find(*process.program);
        if (found != outside.engine_programs.end())
            offenders.add(base::format("{} executes {}", name_of(process), found->second));
    }
    return offenders.verdict("none", "none", "/proc/<pid>/exe");
}

Verdict environment(const Expected& expected, const Outside& outside) {
    std::set<std::string> own;
    for (const auto& entry : expected.spec.env) own.insert(entry.substr(0, entry.find('=')));
    Offenders offenders;
    for (const auto& process : outside.processes) {
        for (const auto& name : process.environment)
            if (outside.daemon_environment.contains(name) && !own.contains(name))
                offenders.add(base::format("{} has {}", name_of(process), name));
    }
    return offenders.verdict("none", "none", "/proc/<pid>/environ, names only");
}

std::string limit_text(std::uint64_t value) {
    return value == std::numeric_limits<std::uint64_t>::max() ? "unlimited" : std::to_string(value);
}

void compare_limits(
        const Expected& expected,
        const ProcessView& process,
        const std::string& who,
        Offenders& offenders) {
    for (const auto& wanted : expected.plan.container.init.rlimits) {
        const auto found = std::find_if(
                process.limits.begin(), process.limits.end(),
                [&](const launch::Rlimit& seen) { return seen.resource == wanted.resource; });
        if (found == process.limits.end()) continue;  // a name that this kernel does not print
        if (found->soft != wanted.soft || found->hard != wanted.hard)
            offenders.add(base::format(
                    "{}: limit {} is {}/{}, not {}/{}", who, wanted.resource,
                    limit_text(found->soft), limit_text(found->hard), limit_text(wanted.soft),
                    limit_text(wanted.hard)));
    }
}

Verdict limits(const Evidence& evidence) {
    Offenders offenders;
    if (const auto* init = evidence.outside.init())
        compare_limits(evidence.expected, *init, "garden-init", offenders);
    if (evidence.inside)
        compare_limits(evidence.expected, evidence.inside->process, "a new process", offenders);
    return offenders.verdict("as planned", "limits of the plan", "/proc/<pid>/limits");
}

Verdict oom_scores(const Outside& outside) {
    Offenders offenders;
    for (const auto& process : outside.processes)
        if (process.oom_score_adj < outside.daemon_oom_score_adj)
            offenders.add(base::format("{}: {}", name_of(process), process.oom_score_adj));
    return offenders.verdict(
            "none below", base::format("{} or more", outside.daemon_oom_score_adj),
            "/proc/<pid>/oom_score_adj");
}

Verdict schedulers(const Outside& outside) {
    constexpr int kOther = 0, kBatch = 3, kIdle = 5;  // SCHED_*
    Offenders offenders;
    for (const auto& process : outside.processes)
        if (process.policy != kOther && process.policy != kBatch && process.policy != kIdle)
            offenders.add(base::format("{}: policy {}", name_of(process), process.policy));
    return offenders.verdict("normal", "normal, batch or idle", "/proc/<pid>/stat");
}

std::string confinement_of(const ProcessView& process) {
    const auto& sets = process.capabilities;
    return base::format(
            "bounding {} permitted {} effective {} inheritable {} ambient {} seccomp {} nnp {}",
            hex(sets.bounding), hex(sets.permitted), hex(sets.effective), hex(sets.inheritable),
            hex(sets.ambient), process.seccomp, process.no_new_privileges ? 1 : 0);
}

Verdict equal(const Outside& outside, const Inside& inside) {
    const auto wanted = confinement_of(*outside.init());
    const auto seen = confinement_of(inside.process);
    return {.ok = seen == wanted,
            .observed = seen,
            .expected = wanted,
            .source = "/proc/<init>/status; inside: /proc/self/status"};
}

std::string told(const Inside& inside, const char* what) {
    const auto found = inside.self.find(what);
    return found == inside.self.end() ? std::string("unknown") : found->second.detail;
}

void check_new_process(const Evidence& evidence, Judge& judge) {
    when_inside(evidence, "PL-01/inherited", judge, inherited);
    when_inside(evidence, "PL-02/directory", judge, [](const Inside& inside) {
        const auto seen = told(inside, "cwd");
        return Verdict{
                .ok = seen.starts_with('/'),
                .observed = seen,
                .expected = "an absolute path",
                .source = "inside: getcwd"};
    });
    when_inside(evidence, "PL-07/signals", judge, [](const Inside& inside) {
        return Verdict{
                .ok = inside.process.blocked == 0 && inside.process.ignored == 0,
                .observed = base::format(
                        "blocked {}, ignored {}", hex(inside.process.blocked),
                        hex(inside.process.ignored)),
                .expected = "none blocked, none ignored",
                .source = "inside: /proc/self/status SigBlk, SigIgn"};
    });
    when_inside(evidence, "PL-10/umask", judge, [](const Inside& inside) {
        const auto seen = told(inside, "umask");
        return Verdict{
                .ok = seen == "18",  // 022
                .observed = seen,
                .expected = "18 (octal 022)",
                .source = "inside: umask"};
    });
    if (evidence.outside.problems.contains("processes")) {
        judge.broken("PL-12/equal", evidence.outside.problems.at("processes"));
    } else {
        when_inside(evidence, "PL-12/equal", judge, [&](const Inside& inside) {
            return equal(evidence.outside, inside);
        });
    }
}

}  // namespace

void check_launch(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    const auto& outside = evidence.outside;
    const auto see = [&](const char* id, auto look) {
        when_seen(outside, "processes", id, judge, look);
    };
    see("PL-01/descriptors", [&] { return descriptors(outside); });
    see("PL-03/program", [&] { return programs(outside); });
    see("PL-06/environment", [&] { return environment(expected, outside); });
    see("PL-09/limits", [&] { return limits(evidence); });
    see("PL-10/oom-score", [&] { return oom_scores(outside); });
    see("PL-10/scheduler", [&] { return schedulers(outside); });
    check_new_process(evidence, judge);
    if (expected.user_namespace()) {
        judge.decide(
                "PL-05/keyring", {.ok = outside.keys_of_range,
                                  .observed = outside.keys_of_range ? "keys of the base id"
                                                                    : "no keys of the base id",
                                  .expected = "keys of the base id",
                                  .source = "/proc/key-users; which keyring a process has is not "
                                            "shown by the kernel"});
    } else {
        judge.skip("PL-05/keyring", "its keys are root's, like the host's");
    }
}

}  // namespace garden::audit
