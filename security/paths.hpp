// Masked and read-only paths by class (security-model §8.3). Pure. Used by garden/plan.
#pragma once

#include "security/classes.hpp"

#include <string>
#include <vector>

namespace security {

std::vector<std::string> masked_paths(Class container_class);
std::vector<std::string> read_only_paths(Class container_class);

}  // namespace security
