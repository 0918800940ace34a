// Rules of security groups, from text to values. Used by create.cpp and out_rules.cpp.
#pragma once

#include "base/result.hpp"
#include "garden/net/out_rules.hpp"
#include "garden/plan/container_spec.hpp"

#include <span>
#include <vector>

namespace garden {

// Errors name the rule, the field and the value; with the texts of garden-api §3.
base::Result<std::vector<net::OutRule>> parse_out_rules(std::span<const OutRuleSpec> specs);

}  // namespace garden
