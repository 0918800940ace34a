// Capability sets by class (security-model §5). Pure but for `own_bounding_set`. Used by
// garden/plan.
#pragma once

#include "base/result.hpp"
#include "security/classes.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace security {

struct CapabilitySets {  // bit n = capability n
    std::uint64_t bounding = 0;
    std::uint64_t permitted = 0;
    std::uint64_t effective = 0;
    std::uint64_t inheritable = 0;
    std::uint64_t ambient = 0;
};

inline constexpr std::uint64_t kUnprivilegedMask = 0xa80425fb;        // CAP-01
inline constexpr std::uint64_t kGardenPrivilegedMask = 0x3fffffffff;  // CAP-02: 38 capabilities
inline constexpr std::uint64_t kPrivilegedNonRootMask = 0xa82425fb;   // CAP-03

struct CapabilityPolicy {
    Class container_class = Class::unprivileged;
    std::uint64_t available = ~std::uint64_t{0};  // what the daemon itself holds (CAP-02)
    bool garden_inheritable = false;              // compat.garden_inheritable (CAP-05)
    bool strict = false;                          // CAP-07
    std::uint64_t keep = ~std::uint64_t{0};       // a per-process request can only reduce (CAP-08)
};

// The sets right before exec of a process with this uid inside the container (CAP-03: the uid
// decides).
CapabilitySets capability_sets(const CapabilityPolicy& policy, std::uint32_t uid);
base::Result<std::uint64_t> parse_capabilities(
        const std::vector<std::string>& names);  // "CAP_CHOWN" or "CHOWN"
std::vector<std::string> capability_names(std::uint64_t mask);
base::Result<std::uint64_t> own_bounding_set();

}  // namespace security
