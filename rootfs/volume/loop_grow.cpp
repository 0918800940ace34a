#include "rootfs/volume/loop_grow.hpp"

#include "base/fail.hpp"
#include "base/sys/ext4.hpp"
#include "base/sys/file.hpp"
#include "base/sys/loop_device.hpp"
#include "rootfs/volume/loop_template.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

Result<void> resize(const MountedImage& volume, std::uint64_t bytes) {
    if (::ftruncate(volume.image.get(), static_cast<off_t>(bytes)) != 0)
        return base::fail_errno("make an image of {} bytes", bytes);
    return sys::follow_image(volume.device);
}

}  // namespace

Result<void> grow_image(const MountedImage& volume, LimitChange limit) {
    const auto now = static_cast<std::uint64_t>(TRY(sys::stat_fd(volume.image)).st_size);
    if (limit.after == 0)
        return base::fail(Errc::unsupported, "driver loop: the limit of an image is its size");
    if (limit.after < limit.before)
        return base::fail(
                Errc::unsupported, "driver loop: an image in use grows, and does not shrink");
    if (limit.after > kMaxImageLimit)
        return base::fail(
                Errc::invalid, "disk limit of {} bytes: an image holds {} at most", limit.after,
                kMaxImageLimit);
    // fsmount gives a path only, and the kernel wants an open file.
    const Fd root = TRY(sys::open_at(volume.mount, ".", O_RDONLY | O_DIRECTORY));
    struct ::statvfs figures = {};
    if (::fstatvfs(root.get(), &figures) != 0)
        return base::fail_errno("read the figures of an image");
    // Not less than the file: a gardend that was killed here has made that large enough before.
    const std::uint64_t blocks = std::max(
            grown_blocks(limit.after, now / kImageBlock, figures.f_files), now / kImageBlock);
    TRY(resize(volume, blocks * kImageBlock));
    auto grown = sys::grow_ext4(root, blocks);
    if (grown) return base::ok;
    // What is behind the end of the file system is nobody's.
    (void)resize(volume, now);
    if (grown.error().sys != EPERM) return grown;
    return base::fail(
            Errc::unsupported,
            "driver loop: the kernel lets an image grow only for a daemon with CAP_SYS_RESOURCE");
}

}  // namespace rootfs
