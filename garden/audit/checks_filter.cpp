// Sections 6 and 7: the system-call filter as it answers, and no_new_privs.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"
#include "garden/audit/parse.hpp"
#include "security/refused_calls.hpp"

#include <errno.h>

#include <array>

namespace garden::audit {

namespace {

constexpr const char* kOwnProfile = "the container has a profile of its own";
constexpr const char* kOtherClass = "the filter of this class allows it";

std::string errno_name(int error) {
    switch (error) {
        case 0:
            return "allowed";
        case EPERM:
            return "EPERM";
        case ENOSYS:
            return "ENOSYS";
        case EAFNOSUPPORT:
            return "EAFNOSUPPORT";
        case EINVAL:
            return "EINVAL";
        case EFAULT:
            return "EFAULT";
        case EBADF:
            return "EBADF";
        case EACCES:
            return "EACCES";
        case ENOTTY:
            return "ENOTTY";
        default:
            return base::errno_text(error);
    }
}

// One call of the probe against what it must have been answered.
void expect(const Inside& inside, const std::string& call, int wanted, Offenders& offenders) {
    const auto found = inside.calls.find(call);
    if (found == inside.calls.end()) return offenders.add(call + ": not tried");
    if (found->second.error != wanted)
        offenders.add(base::format("{}: {}", call, errno_name(found->second.error)));
}

Verdict calls_answer(
        const Inside& inside,
        const std::vector<std::string>& calls,
        int wanted,
        const char* source) {
    Offenders offenders;
    for (const auto& call : calls) expect(inside, call, wanted, offenders);
    return offenders.verdict("all " + errno_name(wanted), errno_name(wanted), source);
}

std::vector<std::string> refused(security::Class container_class, int error) {
    std::vector<std::string> names;
    for (const auto& call : security::refused_calls(container_class))
        if (call.error == error) names.push_back(call.name);
    return names;
}

Verdict sockets(const Expected& expected, const Inside& inside) {
    Offenders offenders;
    expect(inside, "socket unix", 0, offenders);
    expect(inside, "socket alg", EPERM, offenders);
    expect(inside, "socket vsock", EPERM, offenders);
    if (expected.unprivileged()) {
        expect(inside, "socket kcm", EAFNOSUPPORT, offenders);
        expect(inside, "socket bluetooth", EAFNOSUPPORT, offenders);
    }
    return offenders.verdict(
            "as the list", "ALG and VSOCK EPERM, unknown families EAFNOSUPPORT", "inside: socket");
}

void check_calls(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    const auto answer = [&](const char* id, std::vector<std::string> calls, int wanted,
                            const char* source) {
        when_inside(evidence, id, judge, [&](const Inside& inside) {
            return calls_answer(inside, calls, wanted, source);
        });
    };
    when_inside(evidence, "6.3/sockets", judge, [&](const Inside& inside) {
        return sockets(expected, inside);
    });
    answer("SC-06/ioctl",
           {"ioctl tiocsti", "ioctl tioclinux", "ioctl tiocsti with high bits",
            "ioctl tioclinux with high bits"},
           EPERM, "inside: ioctl");
    if (!expected.unprivileged()) {
        for (const char* id :
             {"SC-02/foreign", "SC-03/newer", "SC-04/clone3", "SC-05/denied", "6.3/clone",
              "6.3/personality"})
            judge.skip(id, kOtherClass);
        answer("6.6/denied", refused(expected.container_class, EPERM), EPERM, "inside: each call");
        return;
    }
    judge.skip("6.6/denied", "of another class");
    answer("SC-05/denied", refused(expected.container_class, EPERM), EPERM, "inside: each call");
    answer("SC-04/clone3", {"clone3"}, ENOSYS, "inside: clone3");
    answer("SC-03/newer", {"a call newer than the table"}, ENOSYS, "inside: the next number");
    answer("6.3/clone",
           {"clone newns", "clone newcgroup", "clone newuts", "clone newipc", "clone newuser",
            "clone newpid", "clone newnet"},
           EPERM, "inside: clone");
    answer("6.3/personality", {"personality"}, EPERM, "inside: personality 0x400000");
#if defined(__x86_64__)
    answer("SC-02/foreign", {"foreign i386", "foreign x32"}, ENOSYS, "inside: int 0x80, x32 bit");
#else
    judge.skip("SC-02/foreign", "this architecture has no second one");
#endif
}

Verdict filtered(const Outside& outside) {
    Offenders offenders;
    for (const auto& process : outside.processes) {
        if (process.seccomp != 2)
            offenders.add(base::format("{}: mode {}", name_of(process), process.seccomp));
    }
    return offenders.verdict("mode 2", "mode 2 (filter)", "/proc/<pid>/status Seccomp");
}

Verdict no_new_privileges(const Outside& outside) {
    Offenders offenders;
    for (const auto& process : outside.processes)
        if (!process.no_new_privileges) offenders.add(name_of(process));
    return offenders.verdict("1", "1", "/proc/<pid>/status NoNewPrivs");
}

Verdict ping_range(const Expected& expected, const Inside& inside) {
    constexpr const char* kName = "net/ipv4/ping_group_range";
    std::string wanted;
    for (const auto& sysctl : expected.plan.container.sysctls)
        if (sysctl.name == kName) wanted = sysctl.value;
    const auto found = inside.texts.find(std::string("/proc/sys/") + kName);
    const std::string seen = found == inside.texts.end() ? "" : found->second.detail;
    return {.ok = words_of(trimmed(seen)) == words_of(wanted),
            .observed = std::string(trimmed(seen)),
            .expected = wanted,
            .source = "inside: /proc/sys/net/ipv4/ping_group_range"};
}

Verdict bind_mounts(const Expected& expected, const Outside& outside) {
    Offenders offenders;
    for (const auto& bind : expected.spec.bind_mounts) {
        const auto* mount = outside.reach(bind.destination);
        for (const char* flag : {"nosuid", "nodev"}) {
            if (mount != nullptr && !mount->flags.contains(flag))
                offenders.add(base::format("{} lacks {}", bind.destination, flag));
        }
    }
    return offenders.verdict("nosuid,nodev", "nosuid,nodev", "/proc/<init>/mountinfo");
}

void check_privileges(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    if (expected.no_new_privileges) {
        when_seen(evidence.outside, "processes", "NNP-01/no-new-privileges", judge, [&] {
            return no_new_privileges(evidence.outside);
        });
        when_inside(evidence, "NNP-02/ping", judge, [&](const Inside& inside) {
            return ping_range(expected, inside);
        });
    } else {
        judge.skip("NNP-01/no-new-privileges", "no_new_privs was not asked for");
        judge.skip("NNP-02/ping", "no_new_privs was not asked for");
    }
    if (expected.spec.bind_mounts.empty()) {
        judge.skip("NNP-06/bind-mounts", "no bind mounts");
    } else {
        when_seen(evidence.outside, "mounts", "NNP-06/bind-mounts", judge, [&] {
            return bind_mounts(expected, evidence.outside);
        });
    }
}

}  // namespace

void check_filter(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    const auto& outside = evidence.outside;
    when_seen(outside, "processes", "SC-01/mode", judge, [&] { return filtered(outside); });
    if (expected.spec.seccomp_profile.empty()) {
        check_calls(evidence, judge);
    } else {
        for (const char* id :
             {"SC-02/foreign", "SC-03/newer", "SC-04/clone3", "SC-05/denied", "SC-06/ioctl",
              "6.3/sockets", "6.3/clone", "6.3/personality", "6.6/denied"})
            judge.skip(id, kOwnProfile);
    }
    if (expected.unprivileged()) {
        judge.decide(
                "SC-08/log", {.ok = expected.plan.container.init.seccomp_log,
                              .observed = expected.plan.container.init.seccomp_log ? "on" : "off",
                              .expected = "on",
                              .source = "the engine's plan; the kernel does not show this flag"});
    } else {
        judge.skip("SC-08/log", "for unprivileged containers only");
    }
    when_seen(outside, "filter", "SC-10/stored", judge, [&] {
        return Verdict{
                .ok = !expected.filter_hash.empty() &&
                      outside.stored_filter == expected.filter_hash,
                .observed = outside.stored_filter.empty() ? "nothing" : outside.stored_filter,
                .expected = expected.filter_hash,
                .source = "the container's bundle"};
    });
    check_privileges(evidence, judge);
}

}  // namespace garden::audit
