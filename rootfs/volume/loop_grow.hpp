// A larger limit for an ext4 image that is mounted. Used by the quota driver loop.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "rootfs/volume/quota.hpp"

namespace rootfs {

struct MountedImage {
    base::FdRef image;
    base::FdRef device;  // the loop device over it
    base::FdRef mount;   // a mount of the device, as fsmount gives it
};

// Room for `limit.after` bytes. Errc::unsupported: less than now, none at all, or not by this
// daemon.
base::Result<void> grow_image(const MountedImage& volume, LimitChange limit);

}  // namespace rootfs
