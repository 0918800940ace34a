// What an unpacked tree was when it was made: one line for each entry, so that a changed, added or
// missing one is found later (IMG-02). Written beside the tree at unpack time, read by verify
// alone: nothing of it is on the path of a create. Used by rootfs/store/layers.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs {

inline constexpr std::size_t kMaxSeal = std::size_t{512} << 20;  // 2 million entries of long names
inline constexpr std::size_t kMaxFindings = 32;                  // named; the rest is counted

// Type, mode, owner, time, content and extended attributes of every entry below `tree`, and of
// itself.
base::Result<std::string> seal_tree(base::FdRef tree);

struct SealCheck {
    std::uint64_t entries = 0;  // looked at
    std::uint64_t bytes = 0;    // read
    std::uint64_t differences = 0;
    std::vector<std::string> findings;  // "changed: bin/sh (content)", kMaxFindings at most
};

// Compares the tree with its seal. Errc::corrupt for a seal that is no whole one.
base::Result<SealCheck> check_seal(
        base::FdRef tree, std::string_view seal, const std::atomic<bool>& cancelled);

}  // namespace rootfs
