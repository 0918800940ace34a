// The placement errors (auction §9): texts that users and clients know. Used by the scheduler and
// the auctioneer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace brain::auction {

inline constexpr std::string_view kNoCells = "unable to communicate to compatible cells";
inline constexpr std::string_view kNoRootfs = "found no compatible cell for required rootfs";
inline constexpr std::string_view kNoDrivers =
        "found no compatible cell with required volume drivers";
inline constexpr std::string_view kInFlight =
        "waiting to start instance: reached in-flight start limit";
inline constexpr std::string_view kInsufficient = "insufficient resources";

std::string no_tags(const std::vector<std::string>& desired);
// `common`: what every candidate lacks, in alphabetical order.
std::string insufficient(const std::vector<std::string_view>& common);

}  // namespace brain::auction
