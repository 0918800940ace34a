#include "base/sys/ext4.hpp"

#include "base/sys/error.hpp"

#include <sys/ioctl.h>

namespace base::sys {

Result<void> grow_ext4(FdRef file, std::uint64_t blocks) {
    // EXT4_IOC_RESIZE_FS: older kernels have it in no header.
    constexpr unsigned long kResize = _IOW('f', 16, std::uint64_t);
    if (::ioctl(file.get(), kResize, &blocks) != 0) return errno_error("grow an ext4");
    return ok;
}

}  // namespace base::sys
