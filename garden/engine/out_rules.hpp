// Rules of security groups, from text to values and back. Used by garden/engine and
// garden/server.
#pragma once

#include "base/result.hpp"
#include "garden/api/types.hpp"
#include "garden/net/out_rules.hpp"
#include "garden/plan/container_spec.hpp"

#include <span>
#include <vector>

namespace garden {

// Errors name the rule, the field and the value; with the texts of garden-api §3.
base::Result<std::vector<net::OutRule>> parse_out_rules(std::span<const OutRuleSpec> specs);
// As clients and network plugins write it.
api::NetOutRule to_wire(const OutRuleSpec& rule);

}  // namespace garden
