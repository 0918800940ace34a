#include "base/sys/loop_device.hpp"

#include "base/defer.hpp"
#include "base/sys/error.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/loop.h>

#include <algorithm>
#include <cstring>

namespace base::sys {

namespace {

constexpr int kTries = 128;  // others may be faster to take the device that the kernel named

Result<bool> configure(FdRef device, loop_config config) {
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) return true;
    if (errno == EBUSY) return false;
    if ((config.info.lo_flags & LO_FLAGS_DIRECT_IO) != 0 && errno == EINVAL) {
        // Before 6.14 a file system without direct input and output is an error.
        config.info.lo_flags &= ~static_cast<std::uint32_t>(LO_FLAGS_DIRECT_IO);
        if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) return true;
        if (errno == EBUSY) return false;
    }
    return errno_error("attach a loop device");
}

}  // namespace

std::string loop_path(std::uint32_t number) {
    return "/dev/loop" + std::to_string(number);
}

Result<std::uint32_t> FreeLoops::take(FdRef control) {
    const std::lock_guard lock(mutex_);
    int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number >= 0 && taken_.contains(static_cast<std::uint32_t>(number))) {
        // Another thread is about to attach it. One device more stays for the next who needs it.
        number = ::ioctl(control.get(), LOOP_CTL_ADD, -1);
    }
    if (number < 0) return errno_error("find a free loop device");
    taken_.insert(static_cast<std::uint32_t>(number));
    return static_cast<std::uint32_t>(number);
}

void FreeLoops::give(std::uint32_t number) {
    const std::lock_guard lock(mutex_);
    taken_.erase(number);
}

Result<LoopDevice> attach_loop(FreeLoops& free, FdRef image, CStr label, std::uint32_t block_size) {
    const Fd control = TRY(open_host("/dev/loop-control", O_RDWR));
    loop_config config = {};
    config.fd = static_cast<std::uint32_t>(image.get());
    config.block_size = block_size;
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
    const std::size_t length =
            std::min(std::strlen(label.c_str()), sizeof config.info.lo_file_name - 1);
    std::memcpy(config.info.lo_file_name, label.c_str(), length);
    for (int tries = 0; tries < kTries; ++tries) {
        const auto number = TRY(free.take(control));
        const Defer give([&] { free.give(number); });
        LoopDevice loop{.device = {}, .number = number};
        auto opened = open_host(loop_path(loop.number), O_RDWR);
        if (!opened) {
            // Another took and released it: a device without users may vanish between two calls.
            if (opened.error().sys == ENXIO) continue;
            return std::move(opened).error();
        }
        loop.device = std::move(*opened);
        if (TRY(configure(loop.device, config))) return loop;
    }
    return plain_error(Errc::unavailable, "attach a loop device: others took each free one");
}

Result<std::optional<Fd>> open_loop_of(std::uint32_t number, FdRef image) {
    const auto wanted = TRY(stat_fd(image));
    auto opened = open_host(loop_path(number), O_RDWR);
    if (!opened) {
        if (opened.error().sys == ENOENT || opened.error().sys == ENXIO) return std::optional<Fd>{};
        return std::move(opened).error();
    }
    // From here on nobody can detach it: our descriptor counts as a user.
    loop_info64 info = {};
    if (::ioctl(opened->get(), LOOP_GET_STATUS64, &info) != 0) {
        if (errno == ENXIO) return std::optional<Fd>{};
        return errno_error("ask what a loop device stands for");
    }
    if (info.lo_inode != wanted.st_ino || info.lo_device != wanted.st_dev)
        return std::optional<Fd>{};
    return std::optional<Fd>(std::move(*opened));
}

Result<void> follow_image(FdRef device) {
    if (::ioctl(device.get(), LOOP_SET_CAPACITY, 0) != 0)
        return errno_error("change the size of a loop device");
    return ok;
}

Result<void> detach_loop(std::uint32_t number) {
    const Fd device = TRY(open_host(loop_path(number), O_RDWR));
    if (::ioctl(device.get(), LOOP_CLR_FD) != 0 && errno != ENXIO)
        return errno_error("detach a loop device");
    return ok;
}

}  // namespace base::sys
