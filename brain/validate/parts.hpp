// The rules that tasks and desired LRPs share, one function each, so that each record can apply
// them in the order of its own spec. Private to brain/validate.
#pragma once

#include "brain/validate/validate.hpp"

#include <string>
#include <string_view>

namespace brain::validate {

void check_domain(Violations& found, std::string_view domain);
void check_guid(Violations& found, const std::string& field, std::string_view guid);
void check_rootfs(Violations& found, const std::string& rootfs);
// `required`: an absent or empty action is a violation.
void check_action(
        Violations& found,
        const std::string& field,
        const std::optional<api::Action>& action,
        bool required);
void check_cpu_weight(Violations& found, std::uint32_t weight, const Rules& rules);
void check_annotation(Violations& found, std::string_view annotation);
void check_routes(
        Violations& found, const std::map<std::string, std::string>& routes, const Rules& rules);
void check_egress(Violations& found, const std::vector<api::EgressRule>& list, const Rules& rules);
void check_env(Violations& found, const std::vector<api::EnvironmentVariable>& env);
void check_metric_tags(
        Violations& found,
        const std::map<std::string, api::MetricTagValue>& tags,
        const std::string& metrics_guid,
        const Rules& rules);
// Both or neither.
void check_credentials(Violations& found, bool username, bool password);
// Everything of a definition that 2015 did not know.
void check_additions(Violations& found, const api::Definition& definition, const Rules& rules);
void check_size(
        Violations& found, const std::string& field, const std::string& path, std::int64_t value);
void check_count(Violations& found, const std::string& field, std::size_t count, std::size_t limit);

}  // namespace brain::validate
