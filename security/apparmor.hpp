// AppArmor profiles of unprivileged containers (garden-behaviours D.8): whether this host can apply
// one. Loading profiles is the operator's. Used by garden/engine at start.
#pragma once

#include "base/result.hpp"

#include <string>

namespace security {

// Errc::invalid: no name of a profile. Errc::unsupported: the kernel has no AppArmor, or it is off.
// Whether the profile is loaded shows at each create.
base::Result<void> check_apparmor(const std::string& profile);

}  // namespace security
