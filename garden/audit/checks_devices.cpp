// Section 8.4.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"
#include "garden/audit/parse.hpp"

#include <errno.h>

#include <algorithm>

namespace garden::audit {

namespace {

Verdict nodes(const Expected& expected, const Inside& inside) {
    std::map<std::string, std::string> wanted;
    for (const auto& device : expected.plan.container.devices)
        wanted["/dev/" + device.path] = base::format("c {}:{}", device.major, device.minor);
    Offenders offenders;
    for (const auto& [path, kind] : wanted) {
        const auto found = inside.nodes.find(path);
        if (found == inside.nodes.end()) {
            offenders.add(path + " is missing");
        } else if (found->second != kind) {
            offenders.add(base::format("{} is {}", path, found->second));
        }
    }
    for (const auto& [path, kind] : inside.nodes) {
        const bool terminal =
                path.starts_with("/dev/pts/") && (kind.starts_with("c 136:") || kind == "c 5:2");
        // With all capabilities a container makes what nodes it likes; the rules below decide.
        if (!terminal && !wanted.contains(path) && expected.unprivileged())
            offenders.add(base::format("{} ({})", path, kind));
    }
    return offenders.verdict("as planned", "nodes of the class", "inside: /dev");
}

Verdict rules(const Expected& expected, const CgroupView& group) {
    std::vector<std::string> wanted = expected.device_rules;
    std::vector<std::string> seen;
    for (const auto line : lines_of(group.devices)) seen.emplace_back(line);
    std::sort(wanted.begin(), wanted.end());
    std::sort(seen.begin(), seen.end());
    const auto text = [](const std::vector<std::string>& lines) {
        std::string out;
        for (const auto& line : lines) out += (out.empty() ? "" : ", ") + line;
        return out;
    };
    return {.ok = wanted == seen,
            .observed = text(seen),
            .expected = text(wanted),
            .source = "devices.list of the container's group"};
}

Verdict program(const Outside& outside) {
    const auto& tags = outside.device_tags;
    std::string seen;
    for (const auto& tag : tags) seen += (seen.empty() ? "" : ", ") + tag;
    return {.ok = std::find(tags.begin(), tags.end(), outside.device_tag) != tags.end(),
            .observed = seen.empty() ? "none" : seen,
            .expected = "a program with tag " + outside.device_tag,
            .source = "BPF_PROG_QUERY of the container's group"};
}

}  // namespace

void check_devices(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    const auto& outside = evidence.outside;
    when_inside(evidence, "DEV-01/nodes", judge, [&](const Inside& inside) {
        return nodes(expected, inside);
    });
    if (!expected.user_namespace()) {
        judge.skip("DEV-02/mknod", "this class may make nodes; the rules decide about opening");
    } else {
        when_inside(evidence, "DEV-02/mknod", judge, [](const Inside& inside) {
            const auto found = inside.calls.find("mknod");
            const int error = found == inside.calls.end() ? 0 : found->second.error;
            return Verdict{
                    .ok = error == EPERM,
                    .observed = error == 0 ? "allowed" : base::errno_text(error),
                    .expected = "EPERM",
                    .source = "inside: mknod of a block device"};
        });
    }
    const auto devices = std::find_if(
            outside.cgroups.begin(), outside.cgroups.end(),
            [](const auto& entry) { return entry.first == "devices"; });
    if (devices == outside.cgroups.end() && !outside.problems.contains("cgroups")) {
        judge.skip("DEV-02/rules", "there is no devices controller of cgroup v1");
    } else {
        when_seen(outside, "cgroups", "DEV-02/rules", judge, [&] {
            return rules(expected, devices->second);
        });
    }
    if (outside.device_tag.empty() && !outside.problems.contains("device program")) {
        judge.skip("DEV-04/program", "there is no cgroup v2");
    } else {
        when_seen(outside, "device program", "DEV-04/program", judge, [&] {
            return program(outside);
        });
    }
}

}  // namespace garden::audit
