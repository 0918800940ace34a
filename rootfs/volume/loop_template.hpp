// Empty ext4 images, one for each size asked for, made once by mkfs and then copied: a program is
// never started for a volume whose size is known. Used by the quota driver loop.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace rootfs {

inline constexpr std::uint32_t kImageBlock = 4096;
inline constexpr std::uint64_t kMaxImageLimit = std::uint64_t{8} << 40;

struct ImageGeometry {
    std::uint64_t blocks = 0;  // of kImageBlock
    std::uint64_t inodes = 0;
};

// An ext4 in which `limit` bytes (kMaxImageLimit at most) can be written, hardly more.
ImageGeometry image_geometry(std::uint64_t limit);

// How many blocks an ext4 that is grown needs for as much: it keeps the inodes of its groups.
std::uint64_t grown_blocks(std::uint64_t limit, std::uint64_t blocks, std::uint64_t inodes);

class LoopTemplates {
  public:
    explicit LoopTemplates(base::Fd directory) : directory_(std::move(directory)) {}

    // Forgets what a crash left half made.
    base::Result<void> recover();
    // An image for `limit` bytes, to be copied and never written. Safe from any thread.
    base::Result<base::Fd> get(std::uint64_t limit);

  private:
    base::Result<base::Fd> make(const std::string& name, const ImageGeometry& geometry);
    void forget_oldest();

    static constexpr std::size_t kMaxKept = 64;  // some 150 KB on disk each

    base::Fd directory_;
    std::mutex mutex_;
    std::uint64_t clock_ = 0;
    std::map<std::string, std::uint64_t> kept_;  // name -> when last used
};

// Copies a sparse file into the empty file `to`: a reflink where the file system knows them.
base::Result<void> copy_image(base::FdRef from, base::FdRef to);

}  // namespace rootfs
