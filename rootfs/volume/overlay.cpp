#include "rootfs/volume/overlay.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "base/sys/without_capability.hpp"
#include "rootfs/store/tree.hpp"
#include "rootfs/volume/remembered.hpp"

#include <fcntl.h>

#include <linux/capability.h>
#include <linux/mount.h>

#include <utility>
#include <vector>

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

Result<Fd> mount_by_option_string(const OverlayPlan& plan, const std::string& target) {
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
    TRY(sys::mount_by_path("overlay", target, 0, options));
    // Attached for as long as it takes to clone it: these kernels cannot mount detached from a path
    // list of this length.
    auto detached = sys::clone_tree(FdRef{AT_FDCWD}, target, false);
    auto gone = sys::detach_mount(target);
    if (!detached) return detached;
    TRY(std::move(gone));
    TRY(sys::set_mount_attributes(*detached, attributes_of(plan), 0, false));
    return detached;
}

// Detached mounts in places of their own for as long as it takes to mount an overlay on them, which
// takes clones: nobody but us sees below the scratch directory.
class Stage {
  public:
    explicit Stage(const std::string& scratch) : scratch_(scratch) {}

    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    ~Stage() {
        for (std::size_t i = 0; i < used_; ++i) (void)sys::detach_mount(place(i));
    }

    Result<void> attach(FdRef mount) {
        const std::string target = place(used_);
        TRY(sys::ensure_directory(target, 0700));
        TRY(sys::attach_mount(mount, FdRef{AT_FDCWD}, target));
        ++used_;
        return base::ok;
    }

  private:
    std::string place(std::size_t i) const { return base::format("{}/{}", scratch_, i); }

    const std::string& scratch_;
    std::size_t used_ = 0;
};

Result<void> clear(const std::string& scratch) {
    constexpr int kMost = 1000;  // stacked on one place: far more than crashes of ours
    const Fd directory = TRY(sys::open_host(scratch, O_RDONLY | O_DIRECTORY));
    for (const auto& name : TRY(sys::list_directory(directory))) {
        const std::string place = base::format("{}/{}", scratch, name);
        for (int i = 0; i < kMost && sys::detach_mount(place); ++i) {
        }
    }
    return base::ok;
}

constexpr const char* kWayFile = "overlay-way";

std::string to_text(OverlayWay way) {
    return base::format("{}{}", to_string(way.api), way.attach ? ", attached" : "");
}

// One real mount decides: version numbers lie on kernels with backports.
Result<void> try_way(Overlays& overlays, const std::string& directory) {
    const Fd root = TRY(sys::open_host(directory, O_RDONLY | O_DIRECTORY));
    TRY(remove_tree(root, "probe"));
    TRY(sys::make_directory_at(root, "probe", 0700));
    auto mounted = [&]() -> Result<void> {
        const Fd probe = TRY(sys::open_at(root, "probe", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        for (const char* name : {"upper", "work"}) TRY(sys::make_directory_at(probe, name, 0700));
        const Fd upper = TRY(sys::open_at(probe, "upper", O_PATH | O_DIRECTORY | O_NOFOLLOW));
        const Fd work = TRY(sys::open_at(probe, "work", O_PATH | O_DIRECTORY | O_NOFOLLOW));
        std::vector<Fd> lowers;
        lowers.push_back(TRY(sys::clone_tree(FdRef{AT_FDCWD}, directory + "/empty", false)));
        TRY(overlays.mount(
                {.lowers = lowers, .detached_lowers = true, .upper = upper, .work = work}));
        return base::ok;
    }();
    auto removed = remove_tree(root, "probe");
    TRY(std::move(mounted));
    return removed;
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

Result<std::unique_ptr<Overlays>> Overlays::open(const std::string& directory) {
    const std::string scratch = directory + "/scratch";
    TRY(clear(scratch));
    const Fd root = TRY(sys::open_host(directory, O_RDONLY | O_DIRECTORY));
    const auto before = remembered(root, kWayFile);
    base::Error last;
    for (const OverlayApi api :
         {OverlayApi::descriptors, OverlayApi::strings, OverlayApi::option_string}) {
        for (const bool attach : {false, true}) {
            const OverlayWay way{.api = api, .attach = attach};
            auto overlays = std::make_unique<Overlays>(scratch, way);
            auto works = try_way(*overlays, directory);
            if (works) remember(root, kWayFile, to_text(way));
            // A full disk must not keep gardend from the containers that it has.
            const bool full = !works && works.error().kind == base::Errc::exhausted;
            if (works || (full && before == to_text(way))) return overlays;
            last = std::move(works).error();
        }
    }
    return std::move(last).context("the directory of volumes cannot hold overlay layers");
}

Result<Fd> Overlays::mount(const OverlayPlan& plan) {
    // Whatever a container writes is written with our rights of this moment, and to this capability
    // ext4 project quotas and reserved blocks mean nothing.
    const sys::WithoutCapability limited(CAP_SYS_RESOURCE);
    if (!way_.attach && way_.api != OverlayApi::option_string)
        return mount_by_context(plan, way_.api);
    const std::lock_guard lock(scratch_mutex_);
    Stage stage(scratch_);
    if (way_.attach) {
        if (plan.detached_lowers) {
            for (const Fd& lower : plan.lowers) TRY(stage.attach(lower));
        }
        if (plan.upper_mount) TRY(stage.attach(plan.upper_mount));
    }
    if (way_.api != OverlayApi::option_string) return mount_by_context(plan, way_.api);
    const std::string target = scratch_ + "/root";
    TRY(sys::ensure_directory(target, 0700));
    return mount_by_option_string(plan, target);
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
