// The file system view of a container, built by its first process, and that of a pea, by descriptor
// only (security-model §8).
#include "base/sys/raw.hpp"
#include "garden/launch/shim/child.hpp"
#include "garden/launch/shim/paths.hpp"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <array>

namespace garden::launch {

namespace raw = base::sys::raw;

namespace {

const char* type_of(MountKind kind) {
    switch (kind) {
        case MountKind::attach:
            return "";
        case MountKind::tmpfs:
            return "tmpfs";
        case MountKind::proc:
            return "proc";
        case MountKind::sysfs:
            return "sysfs";
        case MountKind::devpts:
            return "devpts";
        case MountKind::mqueue:
            return "mqueue";
    }
    return "";
}

class View {
  public:
    View(const Child& child, const ViewPlan& plan, const std::vector<base::Fd>& fds)
        : child_(child),
          plan_(plan),
          fds_(fds),
          root_(fds[static_cast<std::size_t>(plan.root)].get()) {}

    void build() {
        open_host_nodes();
        attach_root();
        for (const auto& mount : plan_.mounts) add(mount);
        for (const auto& device : plan_.devices) add(device);
        for (const auto& link : plan_.links) add(link);
        for (const auto& sysctl : plan_.sysctls) set(sysctl);
        for (const auto& ceiling : plan_.ceilings)
            set(ceiling);  // ID-08, before /proc/sys becomes read-only
        change_root();
        // FS-12: the old root is still there, because the null device is cloned from it (FS-10).
        for (const auto& path : plan_.masked) mask(path);
        for (const auto& path : plan_.read_only) make_read_only(path);
        set_attributes(root_, plan_.root_attributes, false, Step::root_attributes, "/");
        leave_old_root();
    }

  private:
    void set_attributes(
            int tree,
            std::uint64_t attributes,
            bool recursive,
            Step step,
            const std::string& detail) {
        if (attributes == 0) return;
        mount_attr change = {};
        change.attr_set = attributes;
        // The access time mode is a field, not a bit: setting one value clears the others.
        if ((attributes & MOUNT_ATTR__ATIME) != 0) change.attr_clr = MOUNT_ATTR__ATIME;
        if (raw::mount_setattr(tree, recursive ? raw::kRecursive : 0U, change) != 0)
            child_.die(step, detail);
    }

    // FS-10: opened on the host's tree, before anything of the image can be seen.
    void open_host_nodes() {
        old_root_ = base::Fd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!old_root_) child_.die(Step::detach_old_root);
        if (plan_.masked.empty()) return;
        null_ = base::Fd(::open("/dev/null", O_PATH | O_CLOEXEC));
        if (!null_ || !is_null(null_.get())) child_.die(Step::null_device);
    }

    static bool is_null(int fd) {
        struct stat info = {};
        if (::fstat(fd, &info) != 0) return false;
        errno = EINVAL;
        return S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
    }

    void attach_root() {
        constexpr unsigned long kPrivate = (1UL << 18) | (1UL << 14);  // MS_PRIVATE | MS_REC
        if (::mount(nullptr, "/", nullptr, kPrivate, nullptr) != 0)
            child_.die(Step::propagation);  // FS-04
        const base::Fd place(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (raw::move_mount(root_, place.get()) != 0) child_.die(Step::attach_root);
    }

    base::Fd target_of(const Mount& mount) {
        // FS-13: what the engine itself mounts never goes through a link of the image.
        const bool ours = mount.kind != MountKind::attach;
        auto target =
                find_or_make(root_, mount.target, {.file = mount.target_is_file, .follow = !ours});
        if (!target) child_.die(Step::mount_target, mount.target);
        if (!ours)
            refuse_proc(target.get(), mount.target);  // and /sys/fs/cgroup is sysfs, /dev/pts ours
        return target;
    }

    // FS-13: nothing covers procfs but a few emulated files.
    void refuse_proc(int target, const std::string& path) {
        constexpr std::array kEmulated{"/proc/cpuinfo", "/proc/meminfo", "/proc/stat",
                                       "/proc/uptime",  "/proc/loadavg", "/proc/diskstats",
                                       "/proc/swaps"};
        struct statfs info = {};
        if (::fstatfs(target, &info) != 0) child_.die(Step::mount_target, path);
        if (info.f_type != PROC_SUPER_MAGIC) return;
        for (const std::string_view emulated : kEmulated) {
            if (path == emulated) return;
        }
        child_.die(Step::mount_target, path + " (below /proc)", EPERM);
    }

    void add(const Mount& mount) {
        if (mount.kind == MountKind::attach) {
            const auto target = target_of(mount);
            const int tree = fds_[static_cast<std::size_t>(mount.fd)].get();
            if (raw::move_mount(tree, target.get()) != 0) child_.die(Step::mount, mount.target);
            // Read-only is applied to every mount below as well (8.2).
            set_attributes(tree, mount.attributes, true, Step::mount_attributes, mount.target);
            return;
        }
        base::Fd tree = make_file_system(mount);
        const auto target = target_of(mount);
        if (raw::move_mount(tree.get(), target.get()) != 0) child_.die(Step::mount, mount.target);
        if (mount.kind == MountKind::proc && !proc_) proc_ = std::move(tree);
    }

    base::Fd make_file_system(const Mount& mount) {
        const std::string detail = mount.target + " (" + type_of(mount.kind) + ")";
        const base::Fd context(raw::fsopen(type_of(mount.kind)));
        if (!context) child_.die(Step::mount, detail);
        // The name that /proc/mounts shows; a type that takes none shows its own.
        (void)raw::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", type_of(mount.kind));
        for (const auto& option : mount.options) {
            const auto equals = option.find('=');
            const std::string key = option.substr(0, equals);
            const int done =
                    equals == std::string::npos
                            ? raw::fsconfig(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr)
                            : raw::fsconfig(
                                      context.get(), FSCONFIG_SET_STRING, key.c_str(),
                                      option.c_str() + equals + 1);
            if (done != 0) child_.die(Step::mount, detail + " option " + option);
        }
        if (raw::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) != 0)
            child_.die(Step::mount, detail);
        base::Fd tree(raw::fsmount(context.get(), mount.attributes));
        if (!tree) child_.die(Step::mount, detail);
        return tree;
    }

    void add(const DeviceNode& device) {
        const std::string path =
                device.path.starts_with("/dev/") ? device.path : "/dev/" + device.path;
        if (device.fd != kNoFd) {  // DEV-01
            const auto target = find_or_make(root_, path, {.file = true, .follow = false});
            if (!target) child_.die(Step::device, path);
            if (raw::move_mount(fds_[static_cast<std::size_t>(device.fd)].get(), target.get()) !=
                0) {
                child_.die(Step::device, path);
            }
            return;
        }
        const auto slash = path.rfind('/');
        const auto parent =
                find_or_make(root_, path.substr(0, slash), {.file = false, .follow = false});
        const char* name = path.c_str() + slash + 1;
        if (!parent || ::mknodat(
                               parent.get(), name, S_IFCHR | device.mode,
                               makedev(device.major, device.minor)) != 0) {
            child_.die(Step::device, path);
        }
    }

    void add(const Link& link) {
        const auto slash = link.path.rfind('/');
        const auto parent = find_or_make(
                root_, slash == std::string::npos || slash == 0 ? "/" : link.path.substr(0, slash),
                {.file = false, .follow = false});
        const char* name = link.path.c_str() + (slash == std::string::npos ? 0 : slash + 1);
        if (!parent) child_.die(Step::link, link.path);
        if (::symlinkat(link.target.c_str(), parent.get(), name) != 0 && errno != EEXIST)
            child_.die(Step::link, link.path);
    }

    // MD-04: through a procfs of our own making, which nothing can have covered.
    void set(const Sysctl& sysctl) {
        if (!proc_) {
            proc_ = make_file_system({.kind = MountKind::proc, .target = "/proc", .fd = kNoFd});
        }
        constexpr std::uint64_t kStrict =
                RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
        const std::string path = "sys/" + sysctl.name;
        const base::Fd file(raw::openat2(proc_.get(), path.c_str(), O_WRONLY, kStrict));
        if (!file && errno == ENOENT && !sysctl.required) return;
        struct statfs info = {};
        if (!file || ::fstatfs(file.get(), &info) != 0) child_.die(Step::sysctl, sysctl.name);
        if (info.f_type != PROC_SUPER_MAGIC) child_.die(Step::sysctl, sysctl.name, EPERM);
        const ssize_t size = static_cast<ssize_t>(sysctl.value.size());
        if (::write(file.get(), sysctl.value.data(), sysctl.value.size()) != size) {
            child_.die(Step::sysctl, sysctl.name + " = " + sysctl.value);
        }
    }

    void change_root() {
        if (::fchdir(root_) != 0 || raw::pivot_root(".", ".") != 0)
            child_.die(Step::pivot_root);  // FS-03
    }

    void leave_old_root() {
        if (::fchdir(old_root_.get()) != 0) child_.die(Step::detach_old_root);
        if (::umount2(".", raw::kDetach) != 0) child_.die(Step::detach_old_root);
        if (::chdir("/") != 0) child_.die(Step::detach_old_root);
    }

    // Opens what a mask or read-only path names; nothing there is fine (8.3).
    base::Fd open_path(const std::string& path, Step step) {
        base::Fd fd(raw::openat2(root_, path.c_str(), O_PATH, kFollowInRoot));
        if (!fd && errno != ENOENT && errno != ENOTDIR) child_.die(step, path);
        return fd;
    }

    void mask(const std::string& path) {
        const auto place = open_path(path, Step::mask);
        if (!place) return;
        struct stat info = {};
        if (::fstat(place.get(), &info) != 0) child_.die(Step::mask, path);
        const bool directory = S_ISDIR(info.st_mode);
        auto& model = directory ? empty_directory_ : null_mount_;
        base::Fd tree;
        if (model) {
            tree = base::Fd(raw::open_tree(
                    model.get(), "", OPEN_TREE_CLONE));  // of one that is attached already
        } else if (directory) {
            tree = make_file_system(
                    {.kind = MountKind::tmpfs,
                     .target = path,
                     .fd = kNoFd,
                     .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                   MOUNT_ATTR_NOEXEC,
                     .options = {"mode=000", "size=4k", "nr_inodes=2"}});
        } else {
            tree = base::Fd(raw::open_tree(null_.get(), "", OPEN_TREE_CLONE));
            if (tree)
                set_attributes(
                        tree.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                        false, Step::mask, path);
        }
        if (!tree || raw::move_mount(tree.get(), place.get()) != 0) child_.die(Step::mask, path);
        verify_mask(path, tree.get());
        if (!model) model = std::move(tree);
    }

    // FS-11: looked at again from the outside, as a process would.
    void verify_mask(const std::string& path, int expected) {
        const base::Fd fresh(raw::openat2(root_, path.c_str(), O_PATH, kFollowInRoot));
        struct stat seen = {};
        struct stat wanted = {};
        if (!fresh || ::fstat(fresh.get(), &seen) != 0 || ::fstat(expected, &wanted) != 0) {
            child_.die(Step::verify_mask, path);
        }
        if (seen.st_dev != wanted.st_dev || seen.st_ino != wanted.st_ino)
            child_.die(Step::verify_mask, path, EPERM);
    }

    void make_read_only(const std::string& path) {
        const auto place = open_path(path, Step::read_only);
        if (!place) return;
        const base::Fd tree(raw::open_tree(place.get(), "", OPEN_TREE_CLONE | raw::kRecursive));
        if (!tree) child_.die(Step::read_only, path);
        set_attributes(tree.get(), MOUNT_ATTR_RDONLY, true, Step::read_only, path);
        if (raw::move_mount(tree.get(), place.get()) != 0) child_.die(Step::read_only, path);
    }

    const Child& child_;
    const ViewPlan& plan_;
    const std::vector<base::Fd>& fds_;
    const int root_;
    base::Fd old_root_;
    base::Fd null_;
    base::Fd null_mount_;
    base::Fd empty_directory_;
    base::Fd proc_;
};

}  // namespace

void build_view(const Child& child, const ViewPlan& plan, const std::vector<base::Fd>& fds) {
    View(child, plan, fds).build();
}

}  // namespace garden::launch
