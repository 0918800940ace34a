// What a probe found at an earlier start, for a start on a disk that is too full to probe again.
// Used by overlay.cpp and quota_probe.cpp.
#pragma once

#include "base/fd.hpp"

#include <string>
#include <string_view>

namespace rootfs {

// Best effort: a probe that works needs no memory.
void remember(base::FdRef directory, const char* name, std::string_view text);
std::string remembered(base::FdRef directory, const char* name);  // "" = nothing

}  // namespace rootfs
