// What a volume remembers on disk besides its files: a small text of "key value" lines. Used by
// rootfs/volume.
#pragma once

#include "base/result.hpp"
#include "rootfs/volumes.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rootfs {

struct VolumeRecord {
    std::uint64_t image_bytes = 0;  // counted in total_bytes
    std::uint64_t quota_bytes = 0;  // as asked for
    QuotaScope scope = QuotaScope::exclusive;
    std::string raw_directory;  // raw images only
};

std::string print_record(const VolumeRecord& record);
base::Result<VolumeRecord> parse_record(std::string_view text);

// The part of the quota that the writable layer may use; Errc::exhausted when the image alone is
// larger (scope total).
base::Result<std::uint64_t> writable_limit(
        std::uint64_t quota_bytes, QuotaScope scope, std::uint64_t image_bytes);
// Handles become file names: 1 to 255 bytes, no '/', NUL, "." or "..".
base::Result<void> check_volume_name(std::string_view name);

}  // namespace rootfs
