// Loop devices: a file as a block device that detaches itself with its last user. One-to-one, no
// policy. Used by rootfs/volume.
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace base::sys {

struct LoopDevice {
    Fd device;  // while it is open or mounted, the device stays attached
    std::uint32_t number = 0;
};

// Numbers of free devices, each to one caller at a time. The kernel names the same free device to
// everybody who asks until one of them has attached it, and the others would ask again and again.
class FreeLoops {
  public:
    Result<std::uint32_t> take(FdRef control);
    void give(std::uint32_t number);  // attached, or not wanted

  private:
    std::mutex mutex_;
    std::set<std::uint32_t> taken_;
};

// A free device over `image`, with direct input and output where the file system allows it. The
// kernel detaches it after the last close or unmount, so none outlives a killed caller. `label`:
// 63 bytes are kept, for people.
Result<LoopDevice> attach_loop(FreeLoops& free, FdRef image, CStr label, std::uint32_t block_size);
// The device `number` when it still stands for `image`; nothing when it is detached or another's
// by now.
Result<std::optional<Fd>> open_loop_of(std::uint32_t number, FdRef image);
std::string loop_path(std::uint32_t number);  // "/dev/loopN"
// The device becomes as large as its image is now.
Result<void> follow_image(FdRef device);
// Detaches now, or as soon as the last user is gone.
Result<void> detach_loop(std::uint32_t number);

}  // namespace base::sys
