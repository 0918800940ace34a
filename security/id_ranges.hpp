// Host id ranges, one per unprivileged container, recorded durably before use (ID-01..04, ID-12).
// Used by garden/engine.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace security {

inline constexpr std::uint32_t kIdRangeLength = 65'536;
inline constexpr std::uint32_t kIdRangeFirst = 0x00080000;
inline constexpr std::uint32_t kIdRangeLast = 0x6FFFFFFF;

struct IdRange {
    std::uint32_t base = 0;  // UID base; GID base equals it (ID-01)
    std::uint32_t length = kIdRangeLength;
};

struct IdRangesConfig {
    std::string directory;  // where the record lives, made when missing
    std::string passwd = "/etc/passwd";
    std::string group = "/etc/group";
    std::string subuid = "/etc/subuid";
    std::string subgid = "/etc/subgid";
    std::uint32_t first = kIdRangeFirst;
    std::uint32_t last = kIdRangeLast;
    std::string reservation =
            "cloche";  // subordinate ids of this name are kept for us, not taken from us
};

class IdRanges {
  public:
    // Fails when a host account lies in a range that is recorded as used (ID-12).
    static base::Result<std::unique_ptr<IdRanges>> open(IdRangesConfig config);
    virtual ~IdRanges() = default;

    // A range in unpredictable order, recorded under `owner` before it is returned; Errc::exhausted
    // when none is free.
    virtual base::Result<IdRange> allocate(std::string_view owner) = 0;
    // Gives the record of `from` to `to` (a pooled range becomes a container's).
    virtual base::Result<void> rename(std::string_view from, std::string_view to) = 0;
    virtual base::Result<void> release(std::string_view owner) = 0;  // idempotent
    virtual base::Result<IdRange> find(std::string_view owner) = 0;
    virtual std::vector<std::pair<std::string, IdRange>> list() = 0;
    // Ranges whose record is unreadable: nobody's, and never given out again until somebody has
    // looked (ID-04).
    virtual std::vector<IdRange> damaged() = 0;
};

}  // namespace security
