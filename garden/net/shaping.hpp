// Bandwidth of one container (NET-14): what both directions may carry. Used by garden/net and
// garden/engine.
#pragma once

#include "base/result.hpp"

#include <cstdint>

namespace garden::net {

struct Shaping {
    std::uint64_t rate = 0;   // bytes per second, each direction; 0: no limit
    std::uint32_t burst = 0;  // bytes that may go at once
};

// Above it the kernel's token buckets count wrongly, and no veth is so fast.
inline constexpr std::uint64_t kMaxRate = 8'000'000'000;
inline constexpr std::uint64_t kMaxBurst = 2'000'000'000;

// A burst of 0 is chosen, and one too small for a packet is raised. Errc::invalid names the field,
// the value and the limit.
base::Result<Shaping> make_shaping(std::uint64_t rate, std::uint64_t burst);

}  // namespace garden::net
