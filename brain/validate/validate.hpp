// What a client's record must satisfy before the brain takes it. Pure functions; nothing found:
// valid. Used by the Receptor API and by every other API that faces clients.
#pragma once

#include "brain/api/public_brain.hpp"
#include "brain/validate/rules.hpp"
#include "brain/validate/violations.hpp"

#include <string_view>

namespace brain::validate {

Violations validate(const api::Task& task, const Rules& rules = {});
Violations validate(const api::DesiredLrp& desired, const Rules& rules = {});
Violations validate(const api::DesiredLrpUpdate& update, const Rules& rules = {});
Violations validate_action(const api::Action& action, std::string_view path);
Violations validate_rule(
        const api::EgressRule& rule, std::string_view path, const Rules& rules = {});
Violations validate_checks(const api::CheckDefinition& checks, std::string_view path);
Violations validate_domain(std::string_view domain);
// An absolute http or https URL; receptor-api §3.1.
Violations validate_callback_url(std::string_view url);

}  // namespace brain::validate
