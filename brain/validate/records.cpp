// Each record's rules in the order of its spec (receptor-api §3.4, §4.3), what is newer behind
// them.
#include "base/fail.hpp"
#include "brain/validate/parts.hpp"

#include <algorithm>

namespace brain::validate {

namespace {

void check_instances(Violations& found, std::int32_t instances) {
    if (instances < 0 || instances > kMaxInstances)
        found.add(
                "instances",
                base::format("instances: {} is not in 0..{}", instances, kMaxInstances));
}

void check_sidecars(Violations& found, const std::vector<api::Sidecar>& list) {
    check_count(found, "sidecars", list.size(), kMaxSidecars);
    for (std::size_t i = 0; i < list.size() && !found.full(); ++i) {
        const auto path = base::format("sidecars[{}]", i);
        Violations inner;
        if (!list[i].action || list[i].action->empty()) {
            inner.add("action", path + ".action: an action is required");
        } else {
            inner.add_within("action", validate_action(*list[i].action, path + ".action"));
        }
        check_size(inner, "disk_mb", path + ".disk_mb", list[i].disk_mb);
        check_size(inner, "memory_mb", path + ".memory_mb", list[i].memory_mb);
        found.add_within("sidecars", inner);
    }
}

}  // namespace

Violations validate(const api::Task& task, const Rules& rules) {
    const auto& definition = task.task_definition.definition;
    Violations found;
    check_domain(found, task.domain);
    check_guid(found, "task_guid", task.task_guid);
    check_rootfs(found, definition.rootfs);
    check_action(found, "action", definition.action, true);
    check_cpu_weight(found, definition.cpu_weight, rules);
    check_annotation(found, definition.annotation);
    check_egress(found, definition.egress_rules, rules);
    check_env(found, definition.env);
    check_metric_tags(found, definition.metric_tags, definition.metrics_guid, Rules::today());
    check_additions(found, definition, rules);
    return found;
}

Violations validate(const api::DesiredLrp& desired, const Rules& rules) {
    const auto& definition = desired.definition;
    Violations found;
    check_domain(found, desired.domain);
    check_rootfs(found, definition.rootfs);
    check_instances(found, desired.instances);
    check_annotation(found, definition.annotation);
    check_routes(found, desired.routes, rules);
    check_guid(found, "process_guid", desired.process_guid);
    check_action(found, "setup", desired.setup, false);
    check_action(found, "action", definition.action, true);
    check_action(found, "monitor", desired.monitor, false);
    check_cpu_weight(found, definition.cpu_weight, rules);
    check_egress(found, definition.egress_rules, rules);
    check_env(found, definition.env);
    check_metric_tags(found, definition.metric_tags, definition.metrics_guid, rules);
    check_count(found, "ports", desired.ports.size(), kMaxPorts);
    if (std::ranges::find(desired.ports, 0) != desired.ports.end())
        found.add("ports", "ports: 0 is not in 1..65535");
    check_size(found, "start_timeout_ms", "start_timeout_ms", desired.start_timeout_ms);
    check_additions(found, definition, rules);
    found.add_within(
            "check_definition", validate_checks(desired.check_definition, "check_definition"));
    check_sidecars(found, desired.sidecars);
    return found;
}

Violations validate(const api::DesiredLrpUpdate& update, const Rules& rules) {
    Violations found;
    if (update.instances) check_instances(found, *update.instances);
    if (update.routes) check_routes(found, *update.routes, rules);
    if (update.annotation) check_annotation(found, *update.annotation);
    if (update.metric_tags) check_metric_tags(found, *update.metric_tags, "", Rules::today());
    check_credentials(found, update.image_username.has_value(), update.image_password.has_value());
    return found;
}

}  // namespace brain::validate
