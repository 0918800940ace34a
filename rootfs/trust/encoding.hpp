// Base64 as signatures carry it: one spelling for every value, so that two readers never see
// different bytes. Used by rootfs/trust.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace rootfs::trust {

// The standard alphabet with padding; no spaces, no line ends, no bits that are not used.
base::Result<std::string> decode_base64(std::string_view text);

}  // namespace rootfs::trust
