#include "base/sys/btrfs.hpp"

#include "base/sys/error.hpp"
#include "base/sys/file.hpp"

#include <sys/ioctl.h>
#include <sys/vfs.h>

#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>

#include <cstring>
#include <limits>

namespace base::sys::btrfs {

namespace {

Result<btrfs_ioctl_vol_args> named(CStr name) {
    btrfs_ioctl_vol_args arguments = {};
    const std::size_t length = std::strlen(name.c_str());
    if (length > BTRFS_VOL_NAME_MAX)
        return plain_error(Errc::invalid, "subvolume name: longer than 255 bytes");
    std::memcpy(arguments.name, name.c_str(), length);
    return arguments;
}

}  // namespace

Result<void> create_subvolume(FdRef parent, CStr name) {
    auto arguments = TRY(named(name));
    if (::ioctl(parent.get(), BTRFS_IOC_SUBVOL_CREATE, &arguments) != 0)
        return errno_error(std::string("create subvolume ") + name.c_str());
    return ok;
}

Result<void> delete_subvolume(FdRef parent, CStr name) {
    auto arguments = TRY(named(name));
    if (::ioctl(parent.get(), BTRFS_IOC_SNAP_DESTROY, &arguments) != 0)
        return errno_error(std::string("delete subvolume ") + name.c_str());
    return ok;
}

bool is_subvolume(FdRef directory) {
    struct ::statfs figures = {};
    if (::fstatfs(directory.get(), &figures) != 0 || figures.f_type != BTRFS_SUPER_MAGIC)
        return false;
    const auto status = stat_fd(directory);
    return status && status->st_ino == BTRFS_FIRST_FREE_OBJECTID;
}

Result<std::uint64_t> subvolume_id(FdRef directory) {
    btrfs_ioctl_ino_lookup_args arguments = {};
    arguments.objectid = BTRFS_FIRST_FREE_OBJECTID;
    if (::ioctl(directory.get(), BTRFS_IOC_INO_LOOKUP, &arguments) != 0)
        return errno_error("read the id of a subvolume");
    return std::uint64_t{arguments.treeid};
}

Result<bool> subvolume_exists(FdRef place, std::uint64_t id) {
    btrfs_ioctl_search_args arguments = {};
    arguments.key.tree_id = BTRFS_ROOT_TREE_OBJECTID;
    arguments.key.min_objectid = id;
    arguments.key.max_objectid = id;
    arguments.key.min_type = BTRFS_ROOT_ITEM_KEY;
    arguments.key.max_type = BTRFS_ROOT_ITEM_KEY;
    arguments.key.max_offset = std::numeric_limits<std::uint64_t>::max();
    arguments.key.max_transid = std::numeric_limits<std::uint64_t>::max();
    arguments.key.nr_items = 1;
    if (::ioctl(place.get(), BTRFS_IOC_TREE_SEARCH, &arguments) != 0)
        return errno_error("look for a subvolume");
    return arguments.key.nr_items != 0;
}

Result<void> enable_quotas(FdRef place) {
    btrfs_ioctl_quota_ctl_args arguments = {};
    arguments.cmd = BTRFS_QUOTA_CTL_ENABLE;
    if (::ioctl(place.get(), BTRFS_IOC_QUOTA_CTL, &arguments) != 0 && errno != EEXIST)
        return errno_error("enable btrfs quotas");
    if (::ioctl(place.get(), BTRFS_IOC_QUOTA_RESCAN_WAIT) != 0)
        return errno_error("wait until btrfs has counted");
    return ok;
}

Result<void> limit_subvolume(FdRef directory, std::uint64_t bytes) {
    btrfs_ioctl_qgroup_limit_args arguments = {};  // group 0: that of the subvolume itself
    arguments.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
    arguments.lim.max_rfer = bytes != 0 ? bytes : std::numeric_limits<std::uint64_t>::max();
    if (::ioctl(directory.get(), BTRFS_IOC_QGROUP_LIMIT, &arguments) != 0)
        return errno_error("limit a subvolume");
    return ok;
}

Result<void> remove_quota_group(FdRef place, std::uint64_t id) {
    btrfs_ioctl_qgroup_create_args arguments = {};
    arguments.create = 0;
    arguments.qgroupid = id;
    if (::ioctl(place.get(), BTRFS_IOC_QGROUP_CREATE, &arguments) != 0 && errno != ENOENT)
        return errno_error("remove a quota group");
    return ok;
}

Result<std::string> state_directory(FdRef place) {
    btrfs_ioctl_fs_info_args info = {};
    if (::ioctl(place.get(), BTRFS_IOC_FS_INFO, &info) != 0)
        return errno_error("read the id of the file system");
    std::string path = "/sys/fs/btrfs/";
    constexpr char kDigits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < BTRFS_FSID_SIZE; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) path += '-';
        path += kDigits[info.fsid[i] >> 4];
        path += kDigits[info.fsid[i] & 15];
    }
    return path;
}

}  // namespace base::sys::btrfs
