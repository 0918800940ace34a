// Version: what every program answers to --version and puts into its metrics.
#pragma once

#include <string_view>

namespace base {

// "0.1.0 (1a2b3c4)"; the commit is that of the configured tree, "unknown" outside a checkout.
std::string_view version();

}  // namespace base
