// Section 15, and the relaxations of CL-03.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"

#include <algorithm>
#include <charconv>

namespace garden::audit {

namespace {

using enum api::AuditSeverity;

constexpr std::uint64_t kPage = 4096;

std::string limit_text(std::uint64_t value) {
    return value == 0 ? "no limit" : std::to_string(value);
}

Verdict compare(std::uint64_t seen, std::uint64_t wanted, const char* source) {
    return {.ok = seen == wanted,
            .observed = limit_text(seen),
            .expected = limit_text(wanted),
            .source = source};
}

// The kernel counts memory in pages.
std::uint64_t in_pages(std::uint64_t bytes) {
    return bytes / kPage * kPage;
}

Verdict memory(const Expected& expected, const Outside& outside) {
    auto verdict =
            compare(in_pages(outside.limits.memory_bytes), in_pages(expected.limits.memory_bytes),
                    "the memory controller of the container's group");
    if (verdict.ok && expected.limits.memory_bytes != 0 && expected.limits.swap_limit &&
        !outside.limits.swap_limit) {
        verdict.ok = false;
        verdict.observed += ", swap beyond it";
    }
    return verdict;
}

// "64m", "64k", "65536k" or bytes.
std::uint64_t size_of(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data() + text.size()) return value;
    return *end == 'k'   ? value << 10U
           : *end == 'm' ? value << 20U
           : *end == 'g' ? value << 30U
                         : value;
}

template <class Texts>
std::uint64_t size_among(const Texts& options) {
    for (const std::string& option : options)
        if (option.starts_with("size=")) return size_of(std::string_view(option).substr(5));
    return 0;
}

Verdict memory_mounts(const Expected& expected, const Outside& outside) {
    Offenders offenders;
    for (const auto& wanted : expected.plan.container.mounts) {
        const auto size = size_among(wanted.options);
        if (wanted.kind != launch::MountKind::tmpfs || size == 0) continue;
        const auto* mount = outside.reach(wanted.target);
        const auto seen = mount == nullptr ? 0 : size_among(mount->options);
        if (seen == 0 || seen > size)
            offenders.add(base::format("{}: {}", wanted.target, limit_text(seen)));
    }
    return offenders.verdict("as planned", "size= of the plan", "/proc/<init>/mountinfo");
}

void relax_class(const Expected& expected, Judge& judge) {
    switch (expected.container_class) {
        case security::Class::unprivileged:
            return;
        case security::Class::privileged:
            judge.relax(
                    "privileged", warning,
                    "real root of the host with nearly every capability; what covers /proc and "
                    "/sys is "
                    "an obstacle, not a boundary (FS-12): privileged-in-userns is one");
            judge.relax(
                    "no_user_namespace", warning,
                    "ids of the container are ids of the host (ID-02)");
            return;
        case security::Class::privileged_in_userns:
            judge.relax(
                    "privileged_in_userns", note,
                    "every capability, inside a user namespace of its own");
            return;
    }
}

void relax_limits(const LimitsSpec& limits, Judge& judge) {
    if (limits.memory_bytes == 0)
        judge.relax("no_memory_limit", note, "it may use all memory of the host (DOS-02)");
    if (limits.pids == 0)
        judge.relax("no_process_limit", note, "it may use all process ids of the host (DOS-01)");
    if (limits.disk_bytes == 0)
        judge.relax("no_disk_limit", note, "it may fill the store (DOS-04)");
}

}  // namespace

void check_limits(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    const auto& outside = evidence.outside;
    const auto see = [&](const char* id, auto look) {
        when_seen(outside, "cgroups", id, judge, look);
    };
    see("DOS-01/processes", [&] {
        return compare(
                outside.limits.pids, expected.limits.pids, "pids.max of the container's group");
    });
    see("DOS-02/memory", [&] { return memory(expected, outside); });
    if (expected.limits.cpu_shares == 0) {
        judge.skip("DOS-03/cpu", "no share was asked for");
    } else {
        see("DOS-03/cpu", [&] {
            auto verdict =
                    compare(outside.limits.cpu_shares, expected.limits.cpu_shares,
                            "the cpu controller of the container's group");
            // v2 keeps a weight; two shares of one weight are the same to it.
            verdict.ok = cgroup::weight_of_shares(outside.limits.cpu_shares) ==
                         cgroup::weight_of_shares(expected.limits.cpu_shares);
            return verdict;
        });
    }
    when_seen(outside, "mounts", "DOS-12/memory-mounts", judge, [&] {
        return memory_mounts(expected, outside);
    });
}

void check_relaxations(const Expected& expected, Judge& judge) {
    relax_class(expected, judge);
    relax_limits(expected.spec.limits, judge);
    if (expected.garden_inheritable)
        judge.relax("compat.garden_inheritable", note, "inheritable equals bounding (CAP-05)");
    if (expected.garden_id_mapping)
        judge.relax("compat.garden_id_mapping", warning, "containers share one id mapping (ID-02)");
    if (!expected.spec.seccomp_profile.empty())
        judge.relax(
                "seccomp_profile", warning,
                "a filter of the client instead of the class's (SC-09)");
    for (const auto& bind : expected.spec.bind_mounts) {
        const bool etc = bind.origin_container;
        if (bind.writable && !etc)
            judge.relax(
                    "writable_bind_mount:" + bind.destination, warning,
                    "files of the host can be changed inside");
    }
    if (!expected.lease) return;
    // NET-06: the implicit last verdict.
    if (!expected.egress_deny)
        judge.relax(
                "egress_allow_public", note,
                "public addresses can be reached without a rule (NET-06)");
    if (expected.allow_host_access)
        judge.relax("host_access", warning, "services of the host can be reached (NET-04)");
    if (expected.shared_subnets)
        judge.relax("shared_subnet", warning, "containers of its subnet can be reached (NET-01)");
}

}  // namespace garden::audit
