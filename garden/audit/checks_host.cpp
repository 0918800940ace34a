// Preflight: sections 2 and 17, and what of sections 4, 7 and 10 belongs to the host.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"
#include "garden/audit/parse.hpp"
#include "security/capabilities.hpp"

#include <array>
#include <charconv>

namespace garden::audit {

namespace {

// 41 capabilities are all that the kernel has so far.
constexpr std::uint64_t kAllCapabilities = (std::uint64_t{1} << 41U) - 1;
// NET-11: 8,192 connections of each container; so many full containers the table must hold.
constexpr std::uint64_t kFullContainers = 4;
constexpr std::uint64_t kConnectionsOfOne = 8192;
constexpr std::uint64_t kLeastFiles = 65'536;

std::uint64_t number_of(const std::string& text) {
    std::uint64_t value = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

struct Wish {
    const char* name;
    std::uint64_t least;
};

// Each named sysctl is at least so much; an absent one does not exist on this kernel.
Verdict at_least(const HostView& host, std::initializer_list<Wish> wishes) {
    Offenders offenders;
    std::string seen;
    for (const auto& [name, least] : wishes) {
        const auto found = host.sysctls.find(name);
        if (found == host.sysctls.end()) continue;
        seen += base::format("{}{} {}", seen.empty() ? "" : ", ", name, found->second);
        if (number_of(found->second) < least)
            offenders.add(base::format("{} is {}", name, found->second));
    }
    std::string wanted;
    for (const auto& [name, least] : wishes)
        wanted += base::format("{}{} {} or more", wanted.empty() ? "" : ", ", name, least);
    return offenders.verdict(seen.empty() ? "not on this kernel" : seen, wanted, "/proc/sys");
}

Verdict has_features(const HostView& host, std::initializer_list<const char*> wanted) {
    Offenders missing;
    std::string all;
    for (const char* feature : wanted) {
        all += (all.empty() ? "" : ", ") + std::string(feature);
        if (!host.features.contains(feature)) missing.add(feature);
    }
    return missing.verdict("all there", all, "/proc, /sys, mount table");
}

Verdict nobody(const std::vector<std::string>& found, const char* source) {
    Offenders offenders;
    for (const auto& entry : found) offenders.add(entry);
    return offenders.verdict("none", "none", source);
}

void check_sysctls(const HostView& host, Judge& judge) {
    const auto pattern = host.sysctls.find("kernel.core_pattern");
    const std::string text = pattern == host.sysctls.end() ? "" : pattern->second;
    judge.decide(
            "10/core-pattern", {.ok = !text.starts_with('|'),
                                .observed = text.empty() ? "nothing" : text,
                                .expected = "a file name",
                                .source = "/proc/sys/kernel/core_pattern"});
    judge.decide(
            "17/links", at_least(
                                host, {{"fs.protected_symlinks", 1},
                                       {"fs.protected_hardlinks", 1},
                                       {"fs.protected_fifos", 1},
                                       {"fs.protected_regular", 1}}));
    judge.decide("17/kernel-addresses", at_least(host, {{"kernel.kptr_restrict", 1}}));
    judge.decide("17/bpf", at_least(host, {{"kernel.unprivileged_bpf_disabled", 1}}));
    judge.decide("17/io-uring", at_least(host, {{"kernel.io_uring_disabled", 1}}));
    judge.decide("17/perf", at_least(host, {{"kernel.perf_event_paranoid", 2}}));
    judge.decide("17/source-address", at_least(host, {{"net.ipv4.conf.all.rp_filter", 1}}));
    judge.decide(
            "NET-11/table", at_least(
                                    host, {{"net.netfilter.nf_conntrack_max",
                                            kFullContainers * kConnectionsOfOne}}));
    judge.decide("DOS-06/files", at_least(host, {{"fs.file-max", kLeastFiles}}));
    Offenders routed;
    for (const auto& [name, value] : host.sysctls)
        if (name.ends_with(".route_localnet") && value != "0") routed.add(name + " is " + value);
    judge.decide("10/loopback", routed.verdict("0", "0", "/proc/sys/net/ipv4/conf"));
}

void check_daemon(const HostView& host, Judge& judge) {
    const auto missing = kAllCapabilities & ~host.daemon_bounding;
    std::string names;
    for (const auto& name : security::capability_names(missing))
        names += (names.empty() ? "" : " ") + name;
    judge.decide(
            "CAP-02/daemon", {.ok = missing == 0,
                              .observed = missing == 0 ? "all" : "without " + names,
                              .expected = "all 41",
                              .source = "prctl PR_CAPBSET_READ"});
    judge.decide(
            "CL-02/privileged", {.ok = !host.allow_privileged,
                                 .observed = host.allow_privileged ? "allowed" : "forbidden",
                                 .expected = "forbidden",
                                 .source = "the daemon's configuration"});
    judge.decide(
            "IMG-40/unsigned",
            {.ok = !host.image_policy.empty(),
             .observed = host.image_policy.empty() ? "unsigned images permitted"
                                                   : "policy " + host.image_policy,
             .expected = "a policy",
             .source = "the daemon's configuration"});
    for (const auto& name : host.relaxations)
        judge.relax(
                name, api::AuditSeverity::note,
                "a switch of the daemon that every container feels");
}

}  // namespace

std::vector<api::AuditCheck> check_host(const HostView& host) {
    std::vector<api::AuditCheck> checks;
    Judge judge(checks);
    judge.decide(
            "17/features", has_features(
                                   host, {"user_namespaces", "seccomp", "pids", "memory",
                                          "cgroup_namespaces", "devices", "nf_tables", "overlay"}));
    judge.decide("17/reports", has_features(host, {"audit_multicast", "bpf", "pressure"}));
    if (const auto problem = host.problems.find("accounts"); problem != host.problems.end()) {
        judge.broken("ID-12/accounts", problem->second);
        judge.broken("ID-03/subordinates", problem->second);
    } else {
        judge.decide("ID-12/accounts", nobody(host.accounts_in_range, "/etc/passwd, /etc/group"));
        judge.decide(
                "ID-03/subordinates",
                nobody(host.subordinates_in_range, "/etc/subuid, /etc/subgid"));
    }
    check_sysctls(host, judge);
    check_daemon(host, judge);
    check_api(host, judge);
    return checks;
}

}  // namespace garden::audit
