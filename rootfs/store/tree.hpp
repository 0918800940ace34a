// Whole directory trees by descriptor: remove, measure, copy. Nothing follows a link or crosses a
// mount (MD-07). Used by rootfs/store (layers) and rootfs/volume; the trees are written by images
// and containers, so nothing in them is trusted.
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <atomic>
#include <cstdint>

namespace rootfs {

// Removes `name` below `parent`, however deep and wide it is. A missing one is fine. Gives up with
// Errc::cancelled when *stop becomes true; what is left can be removed by calling it again.
base::Result<void> remove_tree(
        base::FdRef parent, base::CStr name, const std::atomic<bool>* stop = nullptr);

struct TreeSize {
    std::uint64_t bytes = 0;  // allocated on disk; a hard link counts once
    std::uint64_t inodes = 0;
};

inline constexpr std::uint64_t kMaxMeasuredInodes = 4'000'000;
inline constexpr unsigned kMaxMeasuredDepth = 512;

// What the tree occupies; Errc::exhausted beyond the two limits above.
base::Result<TreeSize> measure_tree(base::FdRef directory);

struct CopyCounts {
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
    std::uint64_t skipped_devices = 0;
    std::uint64_t dropped_xattrs = 0;
};

struct CopyLimits {
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
    std::uint32_t id_limit = 0;
    unsigned depth = 512;
};

// Copies what is below `source` into the empty directory `target`, and the attributes of `source`
// itself.
base::Result<CopyCounts> copy_tree(
        base::FdRef source, base::FdRef target, const CopyLimits& limits);

}  // namespace rootfs
