#include "garden/net/shaping.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace garden::net {

namespace {

// Two packets of the largest MTU with their headers: less would let nothing through.
constexpr std::uint64_t kLeastBurst = 2 * 1600;
// What is chosen when nothing is said: a twentieth of a second, so that a short answer is quick.
constexpr std::uint64_t kBurstShare = 20;
constexpr std::uint64_t kUsualBurst = 64 * 1024;

}  // namespace

base::Result<Shaping> make_shaping(std::uint64_t rate, std::uint64_t burst) {
    if (rate > kMaxRate) {
        return base::fail(
                base::Errc::invalid, "bandwidth_limits.rate: {} bytes per second, at most {}", rate,
                kMaxRate);
    }
    if (burst > kMaxBurst) {
        return base::fail(
                base::Errc::invalid, "bandwidth_limits.burst: {} bytes, at most {}", burst,
                kMaxBurst);
    }
    if (rate == 0) return Shaping{};
    if (burst == 0) burst = std::max(rate / kBurstShare, kUsualBurst);
    return Shaping{.rate = rate, .burst = static_cast<std::uint32_t>(std::max(burst, kLeastBurst))};
}

}  // namespace garden::net
