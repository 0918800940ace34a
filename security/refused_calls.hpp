// Which system calls the filter of a class refuses whatever their arguments are, by number: what a
// probe inside a container can try (section 6 of the security model). Used by garden/audit.
#pragma once

#include "security/classes.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace security {

struct RefusedCall {
    std::string name;
    std::uint32_t number = 0;  // of this architecture; calls that it lacks are left out
    int error = 0;             // EPERM, or ENOSYS where programs are to fall back
};

std::vector<RefusedCall> refused_calls(Class container_class);

}  // namespace security
