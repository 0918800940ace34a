// Section 5.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"
#include "security/capabilities.hpp"

namespace garden::audit {

namespace {

std::string names_of(std::uint64_t mask) {
    std::string text;
    for (const auto& name : security::capability_names(mask)) {
        if (!text.empty()) text += ' ';
        text += name;
    }
    return text;
}

std::uint64_t all_of(const launch::CapabilitySets& sets) {
    return sets.bounding | sets.permitted | sets.effective | sets.inheritable | sets.ambient;
}

// A process may have fewer, and one that became root inside has root's: never more than the class.
Verdict within(const Evidence& evidence, std::uint64_t allowed) {
    Offenders offenders;
    for (const auto& process : evidence.outside.processes) {
        const auto extra = all_of(process.capabilities) & ~allowed;
        if (extra != 0) offenders.add(base::format("{} has {}", name_of(process), names_of(extra)));
    }
    if (evidence.inside) {
        const auto extra = all_of(evidence.inside->process.capabilities) & ~allowed;
        if (extra != 0) offenders.add("a new process has " + names_of(extra));
    }
    return offenders.verdict(
            "none beyond", hex(allowed), "/proc/<pid>/status CapBnd, CapPrm, CapEff");
}

Verdict plain_user(const Expected& expected, const ProcessView& user) {
    Offenders offenders;
    if ((user.capabilities.effective | user.capabilities.permitted) != 0)
        offenders.add(
                "effective " + names_of(user.capabilities.effective | user.capabilities.permitted));
    const auto extra = user.capabilities.bounding & ~expected.user.capabilities.bounding;
    if (extra != 0) offenders.add("bounding set has " + names_of(extra));
    return offenders.verdict(
            "none, bounding " + hex(user.capabilities.bounding),
            "none, bounding " + hex(expected.user.capabilities.bounding),
            "inside, as uid 65534: /proc/self/status");
}

// Of the processes that the engine itself starts; the others may raise within their bounding set.
Verdict empty_set(
        const Evidence& evidence, std::uint64_t launch::CapabilitySets::*set, const char* source) {
    Offenders offenders;
    if (const auto* init = evidence.outside.init(); init != nullptr && init->capabilities.*set != 0)
        offenders.add("garden-init: " + hex(init->capabilities.*set));
    if (evidence.inside && evidence.inside->process.capabilities.*set != 0)
        offenders.add("a new process: " + hex(evidence.inside->process.capabilities.*set));
    return offenders.verdict(hex(0), hex(0), source);
}

}  // namespace

void check_capabilities(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    const auto& outside = evidence.outside;
    const bool plain = expected.unprivileged();
    const auto allowed = expected.plan.container.init.capabilities.bounding;
    when_seen(outside, "processes", plain ? "CAP-01/sets" : "CAP-02/sets", judge, [&] {
        return within(evidence, allowed);
    });
    judge.skip(plain ? "CAP-02/sets" : "CAP-01/sets", "of another class");
    if (evidence.inside && evidence.inside->user) {
        judge.decide("CAP-03/non-root", plain_user(expected, *evidence.inside->user));
    } else {
        judge.broken("CAP-03/non-root", evidence.inside_problem);
    }
    when_seen(outside, "processes", "CAP-04/ambient", judge, [&] {
        return empty_set(evidence, &launch::CapabilitySets::ambient, "/proc/<pid>/status CapAmb");
    });
    if (expected.garden_inheritable) {
        judge.skip("CAP-05/inheritable", "compat.garden_inheritable is on");
    } else {
        when_seen(outside, "processes", "CAP-05/inheritable", judge, [&] {
            return empty_set(
                    evidence, &launch::CapabilitySets::inheritable, "/proc/<pid>/status CapInh");
        });
    }
    when_inside(evidence, "CAP-06/securebits", judge, [](const Inside& inside) {
        const auto found = inside.self.find("securebits");
        const auto seen =
                found == inside.self.end() ? std::string("unknown") : found->second.detail;
        return Verdict{
                .ok = seen == "0",
                .observed = seen,
                .expected = "0",
                .source = "inside: prctl PR_GET_SECUREBITS"};
    });
}

}  // namespace garden::audit
