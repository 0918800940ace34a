// A launch plan as JSON text, for people and for golden files. Used by garden/engine (`cloche
// container plan`) and tests.
#pragma once

#include "garden/plan/launch_plan.hpp"

#include <string>

namespace garden::plan {

// Two-space indented, members in a fixed order; descriptors by what they stand for, filters by
// their hash.
std::string to_json(const LaunchPlan& plan, const ContainerFacts& container);

}  // namespace garden::plan
