// From the bodies that clients send to the brain's records (receptor-api §3.1, §4.1, §4.4), today's
// members included. Used by the routes and their tests.
#pragma once

#include "brain/api/public_brain.hpp"

#include <string_view>

namespace brain::receptor {

inline constexpr std::size_t kMaxBody = std::size_t{4} << 20;
inline constexpr std::size_t kMaxBodyDepth = 64 + 4;  // actions nested to their own limit

// Errors have the decoder's text: InvalidJSON. What stands behind the first value is ignored, as
// unknown members are.
base::Result<api::Task> read_task(std::string_view body);
base::Result<api::DesiredLrp> read_desired_lrp(std::string_view body);
base::Result<api::DesiredLrpUpdate> read_update(std::string_view body);

}  // namespace brain::receptor
