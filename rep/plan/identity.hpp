// What a container is for: the tags that the rep puts on it (executor-rep §2.3) and reads again
// after a restart. Used by every part of the rep.
#pragma once

#include "base/result.hpp"
#include "brain/api/keys.hpp"
#include "executor/api/types.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rep::plan {

inline constexpr std::string_view kLifecycleTag = "lifecycle";
inline constexpr std::string_view kDomainTag = "domain";
inline constexpr std::string_view kProcessGuidTag = "process-guid";
inline constexpr std::string_view kProcessIndexTag = "process-index";
inline constexpr std::string_view kInstanceGuidTag = "instance-guid";
inline constexpr std::string_view kResultFileTag = "result-file";
inline constexpr std::string_view kPlacementTagsTag = "placement-tags";  // JSON array
inline constexpr std::string_view kVolumeDriversTag = "volume-drivers";  // JSON array
inline constexpr std::string_view kRootfsTag = "rootfs";                 // ours: before it runs

enum class Lifecycle : std::uint8_t { none, lrp, task };  // none: not ours

Lifecycle lifecycle_of(const executor::api::Container& container);
std::string_view tag(const executor::api::Container& container, std::string_view name);
// Errc::corrupt names the tag.
base::Result<brain::api::LrpKey> lrp_key_of(const executor::api::Container& container);
// A tag that is a JSON array; anything else counts as empty.
std::vector<std::string> list_tag(const executor::api::Container& container, std::string_view name);

}  // namespace rep::plan
