// What the probe is asked for, from the plan; and its answers as values.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "garden/audit/parse.hpp"
#include "garden/audit/probe/format.hpp"
#include "security/refused_calls.hpp"

#include <array>

namespace garden::audit {

namespace {

// Section 10 and 8.3: one write would end or own the host. Opened, never written.
constexpr std::array kSwitches = {
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/hotplug",
        "/proc/sys/kernel/panic",
        "/proc/sys/kernel/shmmax",
        "/proc/sys/vm/panic_on_oom",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/irq/default_smp_affinity",
        "/proc/pressure/memory",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/memory/cgroup.procs",
        "/sys/fs/cgroup/devices/devices.allow"};

constexpr std::array kTexts = {"/proc/self/status",    "/proc/self/mountinfo",
                               "/proc/self/limits",    "/proc/self/cgroup",
                               "/proc/self/uid_map",   "/proc/self/gid_map",
                               "/proc/self/setgroups", "/proc/self/oom_score_adj"};

std::string text_of(const Inside& inside, const char* path) {
    const auto found = inside.texts.find(path);
    return found == inside.texts.end() ? "" : found->second.detail;
}

void settle(Inside& inside) {
    read_status(text_of(inside, "/proc/self/status"), inside.process);
    read_limits(text_of(inside, "/proc/self/limits"), inside.process);
    inside.process.cgroups = parse_cgroups(text_of(inside, "/proc/self/cgroup"));
    inside.process.uid_map = parse_id_map(text_of(inside, "/proc/self/uid_map"));
    inside.process.gid_map = parse_id_map(text_of(inside, "/proc/self/gid_map"));
    inside.mounts = parse_mounts(text_of(inside, "/proc/self/mountinfo"));
}

}  // namespace

std::string probe_request(const Expected& expected) {
    std::string request = "self\nconditions\n";
    const auto ask = [&](std::string_view word, std::string_view name) {
        request.append(word).append(" ").append(name).append("\n");
    };
    for (const auto* path : kTexts) ask("text", path);
    for (const auto& path : expected.plan.container.masked) ask("read", path);
    for (const auto* path : kSwitches) ask("write", path);
    for (const auto& ceiling : expected.plan.container.ceilings)
        ask("text", "/proc/sys/" + ceiling.name);
    for (const auto& sysctl : expected.plan.container.sysctls)
        ask("text", "/proc/sys/" + sysctl.name);
    ask("text", "/proc/sys/net/ipv6/conf/all/disable_ipv6");
    for (const auto& hierarchy : expected.host.cgroup_hierarchies) {
        const auto name = hierarchy.starts_with("name=") ? hierarchy.substr(5) : hierarchy;
        ask("read", "/sys/fs/cgroup/" + name + "/release_agent");
    }
    for (const auto& call : security::refused_calls(expected.container_class))
        ask("call", std::to_string(call.number) + " " + call.name);
    for (const auto* path : kCoveredTrees) ask("tree", path);
    // With real root it would succeed, and a probe changes nothing.
    if (expected.user_namespace()) request += "mknod\n";
    return request;
}

base::Result<Inside> parse_answers(std::string_view text) {
    Inside inside;
    bool complete = false;
    for (const auto line : lines_of(text)) {
        std::array<std::string, 4> field;
        std::size_t at = 0;
        for (std::size_t i = 0; i < field.size(); ++i) {
            const auto end = i + 1 == field.size() ? line.size() : line.find('\t', at);
            if (end == std::string_view::npos)
                return base::fail(
                        base::Errc::corrupt, "the probe's answer '{}' has {} fields",
                        line.substr(0, 64), i + 1);
            field.at(i) = probe::unescape(line.substr(at, end - at));
            at = std::min(end + 1, line.size());
        }
        auto& [word, name, error_text, detail] = field;
        Try result{
                .error = TRY(base::parse_number<int>(error_text, "errno of the probe")),
                .detail = std::move(detail)};
        if (word == "read")
            inside.reads[name] = std::move(result);
        else if (word == "write")
            inside.writes[name] = std::move(result);
        else if (word == "text")
            inside.texts[name] = std::move(result);
        else if (word == "call")
            inside.calls[name] = std::move(result);
        else if (word == "self")
            inside.self[name] = std::move(result);
        else if (word == "node")
            inside.nodes[name] = std::move(result.detail);
        else if (word == "env")
            inside.environment.push_back(name);
        else if (word == "link")
            inside.links.push_back(name);
        else if (word == "pid")
            ++inside.pids;
        else if (word == "fd")
            inside.descriptors.push_back(
                    {.number = TRY(base::parse_number<int>(name, "descriptor")),
                     .target = std::move(result.detail)});
        else if (word == probe::kLastLine)
            complete = true;
        else
            return base::fail(base::Errc::corrupt, "the probe said '{}'", word.substr(0, 64));
    }
    if (!complete) return base::fail(base::Errc::corrupt, "the probe ended in mid-sentence");
    settle(inside);
    return inside;
}

}  // namespace garden::audit
