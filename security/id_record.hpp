// The file behind IdRanges: one sector per range, so that an allocation is one small synchronous
// write, nothing has to be compacted, and a torn write damages one range only. Used by
// id_ranges.cpp and its tests.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace security {

inline constexpr std::size_t kIdSlotBytes = 512;  // what a disk writes whole
inline constexpr std::size_t kMaxIdOwner = 400;
inline constexpr std::uint32_t kIdSlots =
        1U << 16;  // slot n = ids n * 65,536 and up: independent of the configuration

class IdRecord {
  public:
    // Makes the file when missing and locks it: two daemons with one record would be two owners of
    // one range. The sectors of slots first to last exist from the start: writing one later changes
    // nothing but itself.
    static base::Result<IdRecord> open(
            const std::string& directory, std::uint32_t first, std::uint32_t last);

    struct Slot {
        std::uint32_t number = 0;
        std::string owner;  // empty when damaged
        bool damaged = false;
    };

    base::Result<void> each(const std::function<void(Slot)>& use) const;
    // Durable when it returns. An empty owner frees the slot. Thread-safe for different slots.
    base::Result<void> write(std::uint32_t slot, std::string_view owner) const;

  private:
    explicit IdRecord(base::Fd file) : file_(std::move(file)) {}

    base::Fd file_;
};

}  // namespace security
