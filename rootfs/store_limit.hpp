// How full the image store may be: "85%" of its file system, or bytes of layers. Used by the
// settings of gardend and rootfs/images_collect.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string_view>

namespace rootfs {

struct StoreLimit {
    std::uint64_t bytes = 0;    // of unpacked layers
    std::uint32_t percent = 0;  // of the file system below the store

    bool set() const { return bytes != 0 || percent != 0; }

    bool operator==(const StoreLimit&) const = default;
};

// "" = no limit; "85%", "20000000000", "20G" (K, M, G, T: powers of 1024). `what` names it in
// errors.
base::Result<StoreLimit> parse_store_limit(std::string_view text, std::string_view what);

}  // namespace rootfs
