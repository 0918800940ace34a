// What the calling process may do and random bytes: bounding set, effective capabilities, rlimits,
// getrandom. Used by security. One-to-one, no policy.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>

namespace base::sys {

struct ResourceLimit {
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;  // RLIM_INFINITY is all ones
};

Result<std::uint64_t> own_bounding_capabilities();  // bit n = capability n
Result<std::uint64_t> own_effective_capabilities();
Result<ResourceLimit> own_resource_limit(int resource);
// Below `bound` (not 0), from the kernel's generator, without modulo bias.
Result<std::uint32_t> random_below(std::uint32_t bound);

struct KernelVersion {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
};

Result<KernelVersion> kernel_version();  // of uname; for the minKernel of OCI profiles only

}  // namespace base::sys
