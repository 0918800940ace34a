#include "garden/audit/report.hpp"

#include "base/error.hpp"
#include "base/json_writer.hpp"
#include "garden/audit/parse.hpp"

#include <algorithm>

#include <openssl/evp.h>

namespace garden::audit {

namespace {

using base::json::Writer;

void write_capabilities(Writer& w, std::string_view name, const launch::CapabilitySets& sets) {
    w.key(name).begin_object();
    w.member("bounding", hex(sets.bounding));
    w.member("permitted", hex(sets.permitted));
    w.member("effective", hex(sets.effective));
    w.member("inheritable", hex(sets.inheritable));
    w.member("ambient", hex(sets.ambient));
    w.end_object();
}

// As they are, not as they were planned: what a person compares is what is in force.
void write_process(Writer& w, const Evidence& evidence) {
    const auto* init = evidence.outside.init();
    if (init != nullptr) {
        write_capabilities(w, "root", init->capabilities);
        w.member("seccomp_mode", std::int64_t{init->seccomp});
        w.member("no_new_privileges", init->no_new_privileges);
        w.key("limits").begin_array();
        for (const auto& limit : init->limits) {
            w.begin_object().member("resource", limit.resource);
            w.member("soft", limit.soft).member("hard", limit.hard).end_object();
        }
        w.end_array();
    }
    if (evidence.inside && evidence.inside->user)
        write_capabilities(w, "user", evidence.inside->user->capabilities);
    w.member("seccomp_filter", evidence.expected.filter_hash);
}

void write_mounts(Writer& w, const Outside& outside) {
    auto mounts = outside.mounts;
    std::stable_sort(mounts.begin(), mounts.end(), [](const MountView& a, const MountView& b) {
        return a.target < b.target;
    });
    w.key("mounts").begin_array();
    for (const auto& mount : mounts) {
        w.begin_object().member("target", mount.target).member("type", mount.type);
        w.member("flags", std::vector<std::string>(mount.flags.begin(), mount.flags.end()));
        w.end_object();
    }
    w.end_array();
}

void write_kernel(Writer& w, const Evidence& evidence) {
    const auto& plan = evidence.expected.plan.container;
    w.member("masked", plan.masked).member("read_only", plan.read_only);
    w.key("sysctls").begin_object();
    for (const auto* list : {&plan.ceilings, &plan.sysctls}) {
        for (const auto& sysctl : *list) {
            const auto path = "/proc/sys/" + sysctl.name;
            const bool seen = evidence.inside && evidence.inside->texts.contains(path);
            w.member(
                    sysctl.name,
                    seen ? trimmed(evidence.inside->texts.at(path).detail) : std::string_view("?"));
        }
    }
    w.end_object();
    auto rules = evidence.expected.device_rules;
    if (const auto devices = evidence.outside.cgroups.find("devices");
        devices != evidence.outside.cgroups.end()) {
        rules.clear();
        for (const auto line : lines_of(devices->second.devices)) rules.emplace_back(line);
    }
    std::sort(rules.begin(), rules.end());
    w.member("devices", rules);
    w.key("nodes").begin_object();
    if (evidence.inside)
        for (const auto& [path, kind] : evidence.inside->nodes) w.member(path, kind);
    w.end_object();
}

void write_limits(Writer& w, const Evidence& evidence) {
    const auto& limits = evidence.outside.limits;
    w.key("group").begin_object();
    w.member("memory_bytes", limits.memory_bytes).member("swap_limit", limits.swap_limit);
    w.member("cpu_shares", limits.cpu_shares).member("pids", limits.pids);
    w.member("disk_bytes", evidence.expected.spec.limits.disk_bytes);
    w.end_object();
    w.key("network").begin_object();
    w.member("connected", evidence.expected.lease.has_value());
    w.member("ipv6", evidence.expected.lease && !evidence.expected.lease->container_ip6.empty());
    w.member("rules", evidence.expected.out_rules);
    w.end_object();
}

}  // namespace

std::string settings_json(const Evidence& evidence) {
    Writer w;
    w.begin_object();
    w.member("version", 1);
    w.member("class", security::to_string(evidence.expected.container_class));
    w.member("user_namespace", evidence.expected.user_namespace());
    write_process(w, evidence);
    write_mounts(w, evidence.outside);
    write_kernel(w, evidence);
    write_limits(w, evidence);
    w.end_object();
    return w.take();
}

std::string sha256_of(std::string_view text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (::EVP_Digest(text.data(), text.size(), digest, &length, ::EVP_sha256(), nullptr) != 1)
        base::panic("SHA-256 is not available");
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out = "sha256:";
    for (unsigned i = 0; i < length; ++i) {
        out += kDigits[digest[i] >> 4U];
        out += kDigits[digest[i] & 15U];
    }
    return out;
}

api::AuditSubject audit_pairs(const std::vector<Belongings>& containers) {
    return {.kind = api::AuditKind::pair, .name = "all", .checks = check_pairs(containers)};
}

api::AuditSubject failed_subject(std::string name, std::string_view why) {
    return {.kind = api::AuditKind::container,
            .name = std::move(name),
            .checks = {
                    {.rule = "OBS-01",
                     .check = "audit",
                     .title = "the container can be looked at",
                     .result = api::AuditResult::error,
                     .severity = api::AuditSeverity::error,
                     .observed = printable(why),
                     .remedy = "look at the container with `cloche inspect` and `cloche doctor`"}}};
}

}  // namespace garden::audit
