// Paths inside a container's root, by descriptor: found, or made one component at a time (MD-01,
// MD-03). Used by the children.
#pragma once

#include "base/fd.hpp"

#include <cstdint>
#include <string>

namespace garden::launch {

inline constexpr std::uint64_t kFollowInRoot =
        0x10 | 0x02;  // RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
inline constexpr std::uint64_t kNoLinks = 0x10 | 0x02 | 0x04;  // and RESOLVE_NO_SYMLINKS

struct Making {
    bool file = false;   // the last component is a file, not a directory
    bool follow = true;  // links of the image are resolved inside the root; else they are refused
    bool own = false;    // new components belong to uid:gid
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

// O_PATH descriptor of `path`; what is missing is made with mode 0755 (file 0644). Empty with errno
// on failure.
base::Fd find_or_make(int root, const std::string& path, const Making& making);

}  // namespace garden::launch
