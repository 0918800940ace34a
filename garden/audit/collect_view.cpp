// Mounts as the container's own names lead to them, and its control groups.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/cgroup.hpp"
#include "base/sys/file.hpp"
#include "garden/audit/collect.hpp"
#include "garden/audit/parse.hpp"
#include "security/devices.hpp"

#include <fcntl.h>

#include <algorithm>

namespace garden::audit {

namespace {

namespace sys = base::sys;

constexpr std::size_t kMaxMountinfo = std::size_t{16} << 20;

base::Result<std::uint64_t> mount_of(base::FdRef root, const std::string& path) {
    // Links stay below the root; nothing is opened but the name (MD-01).
    const auto file = TRY(sys::open_in(root, path, O_PATH, sys::Resolve::in_root));
    const auto info =
            TRY(sys::read_host_file(base::format("/proc/thread-self/fdinfo/{}", file.get())));
    for (const auto line : lines_of(info)) {
        if (line.starts_with("mnt_id:"))
            return base::parse_number<std::uint64_t>(trimmed(line.substr(7)), "mnt_id");
    }
    return base::fail(base::Errc::internal, "{}: fdinfo has no mnt_id", path);
}

}  // namespace

void look_at_mounts(const Expected& expected, std::int32_t init_pid, Outside& outside) {
    const auto text =
            sys::read_host_file(base::format("/proc/{}/mountinfo", init_pid), kMaxMountinfo);
    const auto root = sys::open_host(base::format("/proc/{}/root", init_pid), O_PATH | O_DIRECTORY);
    if (!text || !root) {
        outside.problems["mounts"] = text ? root.error().text : text.error().text;
        return;
    }
    outside.mounts = parse_mounts(*text);
    const auto& plan = expected.plan.container;
    std::vector<std::string> paths{"/"};
    for (const auto& mount : plan.mounts) paths.push_back(mount.target);
    paths.insert(paths.end(), plan.masked.begin(), plan.masked.end());
    paths.insert(paths.end(), plan.read_only.begin(), plan.read_only.end());
    for (const auto& path : paths) {
        const auto id = mount_of(*root, path);
        if (!id) continue;  // not there; a planned mount that is not there is a finding
        outside.reached[path] = *id;
        outside.present.insert(path);
    }
}

void look_at_cgroups(
        std::span<const std::pair<std::string, base::FdRef>> views,
        security::Class container_class,
        Outside& outside) {
    for (const auto& [hierarchy, view] : views) {
        CgroupView group{.present = true};
        const auto text = [&](const char* name) {
            return std::string(trimmed(sys::read_file_at(view, name).value_or(std::string())));
        };
        if (hierarchy != "unified") group.notify_on_release = text("notify_on_release");
        const bool devices = hierarchy == "devices" || hierarchy.starts_with("devices,") ||
                             hierarchy.ends_with(",devices");
        if (devices) group.devices = text("devices.list");
        outside.cgroups[devices ? "devices" : hierarchy] = std::move(group);
        if (hierarchy != "unified") continue;
        const auto directory = sys::open_at(view, ".", O_RDONLY | O_DIRECTORY);
        const auto program = sys::load_device_program(
                security::device_program(security::device_rules(container_class)));
        if (!directory || !program) {
            outside.problems["device program"] =
                    directory ? program.error().text : directory.error().text;
            continue;
        }
        auto tag = sys::program_tag(*program);
        auto tags = sys::device_program_tags(*directory);
        if (tag) outside.device_tag = std::move(*tag);
        if (tags) outside.device_tags = std::move(*tags);
        if (!tag || !tags)
            outside.problems["device program"] = tag ? tags.error().text : tag.error().text;
    }
}

}  // namespace garden::audit
