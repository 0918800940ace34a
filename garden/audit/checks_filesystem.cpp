// Section 8.1 to 8.3: root, mounts, masks, read-only paths.
#include "base/fail.hpp"
#include "garden/audit/checks.hpp"
#include "garden/audit/parse.hpp"

#include <linux/mount.h>

#include <array>

namespace garden::audit {

namespace {

constexpr const char* kMountinfo = "/proc/<init>/mountinfo";

std::string type_of(launch::MountKind kind) {
    switch (kind) {
        case launch::MountKind::attach:
            return "";  // whatever the source is
        case launch::MountKind::tmpfs:
            return "tmpfs";
        case launch::MountKind::proc:
            return "proc";
        case launch::MountKind::sysfs:
            return "sysfs";
        case launch::MountKind::devpts:
            return "devpts";
        case launch::MountKind::mqueue:
            return "mqueue";
    }
    return "";
}

std::vector<std::string> flags_of(std::uint64_t attributes) {
    constexpr std::array<std::pair<std::uint64_t, const char*>, 4> kFlags = {
            {{MOUNT_ATTR_RDONLY, "ro"},
             {MOUNT_ATTR_NOSUID, "nosuid"},
             {MOUNT_ATTR_NODEV, "nodev"},
             {MOUNT_ATTR_NOEXEC, "noexec"}}};
    std::vector<std::string> flags;
    for (const auto& [bit, name] : kFlags)
        if ((attributes & bit) != 0) flags.emplace_back(name);
    return flags;
}

Verdict planned(const Expected& expected, const Outside& outside) {
    Offenders offenders;
    for (const auto& wanted : expected.plan.container.mounts) {
        const auto* mount = outside.reach(wanted.target);
        if (mount == nullptr) {
            offenders.add(wanted.target + " is not mounted");
            continue;
        }
        const auto type = type_of(wanted.kind);
        if (!type.empty() && mount->type != type)
            offenders.add(base::format("{} is {}", wanted.target, mount->type));
        for (const auto& flag : flags_of(wanted.attributes))
            if (!mount->flags.contains(flag))
                offenders.add(base::format("{} lacks {}", wanted.target, flag));
    }
    return offenders.verdict("as planned", "type and flags of the plan", kMountinfo);
}

// How many mounts may lie on one target: the planned one, its mask, its read-only cover.
std::map<std::string, int> allowed_targets(const Expected& expected, const Outside& outside) {
    std::map<std::string, int> allowed{{"/", 1}};
    const auto add = [&](const std::string& path) {
        const auto* mount = outside.reach(path);
        ++allowed[path];
        // Through a link of the image the target has another name.
        if (mount != nullptr && mount->target != path) ++allowed[mount->target];
    };
    const auto& plan = expected.plan.container;
    for (const auto& mount : plan.mounts) add(mount.target);
    for (const auto& path : plan.masked) add(path);
    for (const auto& path : plan.read_only) add(path);
    for (const auto& device : plan.devices) ++allowed["/dev/" + device.path];
    // A read-only cover takes along what is mounted below it.
    for (const auto& cover : plan.read_only) {
        for (const auto& mount : plan.mounts)
            if (mount.target.starts_with(cover + "/")) ++allowed[mount.target];
    }
    return allowed;
}

Verdict nothing_else(const Expected& expected, const Outside& outside) {
    auto allowed = allowed_targets(expected, outside);
    Offenders offenders;
    for (const auto& mount : outside.mounts) {
        if (--allowed[mount.target] < 0)
            offenders.add(base::format("{} on {}", mount.type, mount.target));
    }
    return offenders.verdict("nothing else", "mounts of the plan only", kMountinfo);
}

Verdict over_proc(const Expected& expected, const Outside& outside) {
    std::set<std::string> covers(
            expected.plan.container.masked.begin(), expected.plan.container.masked.end());
    covers.insert(
            expected.plan.container.read_only.begin(), expected.plan.container.read_only.end());
    Offenders offenders;
    for (const auto& mount : outside.mounts) {
        if (mount.target == "/proc" && (mount.type != "proc" || mount.root != "/"))
            offenders.add(base::format("{} {} on /proc", mount.type, mount.root));
        if (mount.target.starts_with("/proc/") && !covers.contains(mount.target))
            offenders.add(base::format("{} on {}", mount.type, mount.target));
    }
    return offenders.verdict("masks only", "a procfs, masks and read-only covers", kMountinfo);
}

// A mask is the host's null device or an empty read-only tmpfs, at the path itself.
bool is_mask(const MountView& mount) {
    if (mount.type == "tmpfs" && mount.root == "/") return mount.flags.contains("ro");
    return mount.root == "/null" || mount.root.ends_with("/null");
}

void look_outside(const Expected& expected, const Outside& outside, Offenders& offenders) {
    for (const auto& path : expected.plan.container.masked) {
        if (!outside.present.contains(path)) continue;  // 8.3: what does not exist is skipped
        const auto* mount = outside.reach(path);
        if (mount == nullptr || mount->target != path || !is_mask(*mount))
            offenders.add(path + " is not masked");
    }
}

Verdict masked(const Evidence& evidence) {
    Offenders offenders;
    look_outside(evidence.expected, evidence.outside, offenders);
    for (const auto& path : evidence.expected.plan.container.masked) {
        const auto found = evidence.inside->reads.find(path);
        if (found == evidence.inside->reads.end()) {
            offenders.add(path + ": not tried");
        } else if (
                found->second.error == 0 && found->second.detail != "c 1:3 0" &&
                found->second.detail != "directory 0") {
            offenders.add(base::format("{} shows {}", path, found->second.detail));
        }
    }
    return offenders.verdict(
            "nothing shows", "the null device or an empty directory",
            "/proc/<init>/mountinfo; inside: open and read");
}

Verdict read_only(const Expected& expected, const Outside& outside) {
    Offenders offenders;
    for (const auto& path : expected.plan.container.read_only) {
        if (!outside.present.contains(path)) continue;
        const auto* mount = outside.reach(path);
        if (mount == nullptr || mount->target != path || !mount->flags.contains("ro"))
            offenders.add(path + " is not read-only");
    }
    return offenders.verdict("all read-only", "a read-only mount at each path", kMountinfo);
}

Verdict root(const Expected& expected, const Outside& outside) {
    const auto* mount = outside.reach("/");
    if (mount == nullptr)
        return {.ok = false, .observed = "no root", .expected = "overlay", .source = kMountinfo};
    Offenders offenders;
    if (mount->type != "overlay" && !expected.image_plugin) offenders.add("it is " + mount->type);
    for (const auto& flag : flags_of(expected.plan.container.root_attributes | MOUNT_ATTR_NODEV))
        if (!mount->flags.contains(flag)) offenders.add("it lacks " + flag);
    return offenders.verdict("overlay, nodev", "overlay, nodev", kMountinfo);
}

Verdict private_mounts(const Outside& outside) {
    Offenders offenders;
    for (const auto& mount : outside.mounts)
        if (mount.shared) offenders.add(mount.target);
    return offenders.verdict("all private", "no peer group", kMountinfo);
}

// Nobody may mount (EPERM), or the kernel has locked the covers to what is below (EINVAL).
Verdict locked(const Inside& inside) {
    Offenders offenders;
    for (const auto* path : kCoveredTrees) {
        const auto found = inside.calls.find(std::string("tree ") + path);
        if (found == inside.calls.end()) {
            offenders.add(base::format("{}: not tried", path));
        } else if (found->second.error == 0) {
            offenders.add(base::format("{} can be had without what covers it", path));
        }
    }
    return offenders.verdict("refused", "EPERM or EINVAL", "inside: open_tree");
}

}  // namespace

void check_filesystem(const Evidence& evidence, Judge& judge) {
    const auto& expected = evidence.expected;
    const auto& outside = evidence.outside;
    const auto see = [&](const char* id, auto look) {
        when_seen(outside, "mounts", id, judge, look);
    };
    see("FS-01/root", [&] { return root(expected, outside); });
    see("8.2/mounts", [&] { return planned(expected, outside); });
    see("8.3/read-only", [&] { return read_only(expected, outside); });
    if (expected.unprivileged()) {
        see("FS-03/foreign", [&] { return nothing_else(expected, outside); });
        see("FS-04/propagation", [&] { return private_mounts(outside); });
        see("FS-13/proc", [&] { return over_proc(expected, outside); });
    } else {
        for (const char* id : {"FS-03/foreign", "FS-04/propagation", "FS-13/proc"})
            judge.skip(id, "this class may mount");
    }
    if (expected.plan.container.masked.empty()) {
        // FS-12: and what it has read-only are obstacles; real root can mount a second procfs.
        judge.skip("8.3/masked", "this class has no masks; privileged-in-userns has");
        judge.skip("FS-12/locked", "real root takes off any cover; privileged-in-userns cannot");
    } else if (!evidence.inside) {
        judge.broken("8.3/masked", evidence.inside_problem);
        judge.broken("FS-12/locked", evidence.inside_problem);
    } else {
        see("8.3/masked", [&] { return masked(evidence); });
        see("FS-12/locked", [&] { return locked(*evidence.inside); });
    }
}

}  // namespace garden::audit
