#include "rootfs/volume/overlay.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "base/sys/without_capability.hpp"

#include <fcntl.h>

#include <linux/capability.h>
#include <linux/mount.h>

namespace rootfs {

using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr std::uint64_t kNodev = MOUNT_ATTR_NODEV;
constexpr std::uint64_t kNosuid = MOUNT_ATTR_NOSUID;
constexpr std::size_t kPage = 4096;  // mount(2) cuts a longer option string silently

// FS-01: redirects are neither made nor followed and no metadata-only copies, so that nothing in an
// upper layer names a place outside it.
struct Option {
    const char* key;
    const char* value;
};

constexpr Option kOptions[] = {
        {"redirect_dir", "nofollow"},
        {"metacopy", "off"},
        {"index", "off"},
        {"xino", "auto"},
};

std::uint64_t attributes_of(const OverlayPlan& plan) {
    return kNodev | (plan.nosuid ? kNosuid : 0);
}

Result<void> set_directory(FdRef context, const char* key, FdRef directory, OverlayApi api) {
    if (api == OverlayApi::descriptors) return sys::fs_set_fd(context, key, directory);
    return sys::fs_set_string(context, key, sys::descriptor_path(directory));
}

Result<Fd> mount_by_context(const OverlayPlan& plan, OverlayApi api) {
    Fd context = TRY(sys::fs_open("overlay"));
    TRY(sys::fs_set_string(context, "source", "cloche"));
    for (const Fd& lower : plan.lowers) TRY(set_directory(context, "lowerdir+", lower, api));
    TRY(set_directory(context, "upperdir", plan.upper, api));
    TRY(set_directory(context, "workdir", plan.work, api));
    for (const Option& option : kOptions)
        TRY(sys::fs_set_string(context, option.key, option.value));
    if (!plan.keep) TRY(sys::fs_set_flag(context, "volatile"));
    TRY(sys::fs_create(context).context("mount overlay"));
    return sys::fs_mount(context, attributes_of(plan));
}

Result<Fd> mount_by_option_string(const OverlayPlan& plan, const std::string& scratch) {
    std::string options = "lowerdir=";
    for (std::size_t i = 0; i < plan.lowers.size(); ++i) {
        if (i > 0) options += ':';
        options += sys::descriptor_path(plan.lowers[i]);
    }
    options += ",upperdir=" + sys::descriptor_path(plan.upper);
    options += ",workdir=" + sys::descriptor_path(plan.work);
    for (const Option& option : kOptions) {
        options.append(",").append(option.key).append("=").append(option.value);
    }
    if (!plan.keep) options += ",volatile";
    if (options.size() >= kPage) {
        return base::fail(
                base::Errc::unsupported,
                "mount overlay: {} layers need {} bytes of options, this kernel takes {}",
                plan.lowers.size(), options.size(), kPage - 1);
    }
    TRY(sys::mount_by_path("overlay", scratch, 0, options));
    // Attached for as long as it takes to clone it: these kernels cannot mount detached from a path
    // list of this length.
    auto detached = sys::clone_tree(FdRef{AT_FDCWD}, scratch, false);
    auto gone = sys::detach_mount(scratch);
    if (!detached) return detached;
    TRY(std::move(gone));
    TRY(sys::set_mount_attributes(*detached, attributes_of(plan), 0, false));
    return detached;
}

}  // namespace

std::string_view to_string(OverlayApi api) {
    switch (api) {
        case OverlayApi::descriptors:
            return "descriptors";
        case OverlayApi::strings:
            return "strings";
        case OverlayApi::option_string:
            return "option string";
    }
    return "";
}

Result<Fd> mount_overlay(const OverlayPlan& plan, OverlayApi api, const std::string& scratch) {
    // Whatever a container writes is written with our rights of this moment, and to this capability
    // ext4 project quotas and reserved blocks mean nothing.
    const sys::WithoutCapability limited(CAP_SYS_RESOURCE);
    if (api == OverlayApi::option_string) return mount_by_option_string(plan, scratch);
    return mount_by_context(plan, api);
}

Result<Fd> lower_mount(const std::string& directory, FdRef user_namespace) {
    if (!user_namespace) {
        // Overlay makes its own private, read-only clone of each layer; only an id mapping needs
        // one from us.
        return sys::open_host(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    }
    Fd tree = TRY(sys::clone_tree(FdRef{AT_FDCWD}, directory, false));
    TRY(sys::idmap_mount_with(tree, user_namespace, MOUNT_ATTR_RDONLY | kNosuid | kNodev));
    return tree;
}

}  // namespace rootfs
