#include "cli/recipe.hpp"

#include "base/fail.hpp"
#include "base/json.hpp"
#include "base/uuid.hpp"

#include <algorithm>
#include <array>

namespace cli {

namespace {

using base::Errc;
using base::fail;
using executor::api::Action;

// A person wrote the recipe, so that a member which nobody reads is a mistake. What only answers
// have is fine: then the recipe is a container that was listed.
constexpr auto kOfBoth = std::to_array<std::string_view>(
        {"rootfs", "cpu_weight", "privileged", "cached_dependencies", "egress_rules", "env",
         "trusted_system_certificates_path", "network", "certificate_properties", "image_username",
         "image_password", "volume_mounted_files", "memory_mb", "disk_mb", "max_pids",
         "result_file", "graceful_shutdown_interval_ms"});
constexpr auto kOfRequest = std::to_array<std::string_view>(
        {"guid",
         "tags",
         "Tags",
         "run",
         "setup",
         "monitor",
         "ports",
         "internal_routes",
         "log_config",
         "metrics_config",
         "start_timeout",
         "start_timeout_ms",
         "check_definition",
         "volume_mounts",
         "enable_container_proxy",
         "sidecars",
         "log_rate_limit_bytes_per_second",
         "state",
         "routable",
         "allocated_at",
         "external_ip",
         "internal_ip",
         "internal_ip_v6",
         "run_result",
         "memory_limit",
         "disk_limit",
         "advertise_preference_for_instance_address"});
constexpr auto kOfTask = std::to_array<std::string_view>(
        {"task_guid", "domain", "action", "annotation", "completion_callback_url", "log_guid",
         "log_source", "metrics_guid", "log_rate_limit", "placement_tags", "legacy_download_user",
         "metric_tags"});
// The rep turns these into other things with what it knows of its cell.
constexpr auto kOfTaskElsewhere =
        std::to_array<std::string_view>({"volume_mounts", "image_layers"});

template <class Words>
bool contains(const Words& words, std::string_view word) {
    return std::ranges::find(words, word) != words.end();
}

base::Result<void> check_names(const base::json::Node& root, bool task) {
    const auto members = TRY(root.members());
    for (const auto& [name, member] : members) {
        if (member.is_null() || contains(kOfBoth, name)) continue;
        if (task && contains(kOfTaskElsewhere, name))
            return fail(
                    Errc::invalid, "{}: not in a task that runs locally. hint: write a run request",
                    name);
        if (task ? contains(kOfTask, name) : contains(kOfRequest, name)) continue;
        return fail(
                Errc::invalid, "{}: unknown in {}", name.substr(0, 64),
                task ? "a task" : "a run request");
    }
    return base::ok;
}

struct LogRateLimit {
    std::int64_t bytes_per_second = -1;
};

base::Result<void> from_json(const base::json::Node& node, LogRateLimit& v) {
    base::json::Fields fields(node);
    fields.optional("bytes_per_second", v.bytes_per_second);
    return fields.finish(base::json::Unknown::ignore);
}

// receptor-api §3.1. Most members are spelt as the executor's.
base::Result<void> read_task(const base::json::Node& root, Recipe& recipe) {
    auto& info = recipe.run.info;
    Action action;
    LogRateLimit rate;
    base::json::Fields fields(root);
    fields.required("action", action)
            .optional("task_guid", recipe.run.guid)
            .optional("log_guid", info.log_config.guid)
            .optional("log_source", info.log_config.source_name)
            .optional("metrics_guid", info.metrics_config.guid)
            .optional("log_rate_limit", rate);
    TRY(fields.finish(base::json::Unknown::ignore));
    if (info.rootfs.empty()) return fail(Errc::invalid, "rootfs: a task needs one");
    info.log_rate_limit_bytes_per_second = rate.bytes_per_second;
    // 0 is "no preference"; to an executor it is what the rep would have made of it.
    info.cpu_weight = std::max<std::uint32_t>(info.cpu_weight, 1);
    if (auto valid = validate(action, "action"); !valid) return valid;
    info.run = std::move(action);
    return base::ok;
}

// Serial and emit_progress do not pass their source on (executor-rep §5.12); the others do.
void name_source(Action& action, const std::string& source) {
    using executor::api::EmitProgressAction;
    using executor::api::SerialAction;
    std::visit(
            [&](auto& kind) {
                using Kind = std::remove_cvref_t<decltype(kind)>;
                if constexpr (!std::is_same_v<Kind, std::monostate>) {
                    if (kind.log_source.empty()) kind.log_source = source;
                    if constexpr (std::is_same_v<Kind, SerialAction>)
                        for (auto& child : kind.actions) name_source(child, source);
                    if constexpr (std::is_same_v<Kind, EmitProgressAction>)
                        name_source(*kind.action, source);
                }
            },
            action.value);
}

// The task's lines keep the name that they would have, the cell's get one of their own.
void separate_sources(executor::api::RunInfo& info, const std::string& guid) {
    auto& config = info.log_config;
    if (config.guid.empty()) config.guid = guid;  // without one nothing is logged
    const auto source = config.source_name.empty() ? std::string("TASK") : config.source_name;
    for (auto* action : {&info.setup, &info.run, &info.monitor})
        if (*action) name_source(**action, source);
    for (auto& sidecar : info.sidecars) name_source(sidecar.run, source);
    config.source_name = kCellSource;
}

}  // namespace

base::Result<Recipe> parse_recipe(std::string_view text, std::string_view guid) {
    const auto document = TRY(base::json::Document::parse(text));
    const auto root = document.root();
    const auto run = TRY(root.find("run"));
    const auto action = TRY(root.find("action"));
    if (run && action)
        return fail(Errc::invalid, "run and action: a run request has one, a task the other");
    if (!run && !action)
        return fail(
                Errc::invalid, "run: an action is required (or action, when the recipe is a task)");
    TRY(check_names(root, action.has_value()));
    Recipe recipe;
    TRY(from_json(root, recipe.run));
    TRY(from_json(root, recipe.allocation));
    base::json::Fields fields(root);
    fields.optional("result_file", recipe.result_file);
    TRY(fields.finish(base::json::Unknown::ignore));
    if (action) TRY(read_task(root, recipe));
    // As the rep tags its tasks (executor-rep §2.3), also in a container that was listed. Its mark
    // goes: a rep deletes what has it and is unknown to the brain.
    for (auto* tags : {&recipe.run.tags, &recipe.allocation.tags}) tags->erase("lifecycle");
    if (const auto tag = recipe.run.tags.find("result-file");
        tag != recipe.run.tags.end() && recipe.result_file.empty())
        recipe.result_file = tag->second;
    if (!guid.empty()) recipe.run.guid = guid;
    if (recipe.run.guid.empty()) recipe.run.guid = "task-" + base::random_uuid();
    recipe.allocation.guid = recipe.run.guid;
    TRY(validate(recipe.allocation));
    TRY(validate(recipe.run.info));
    separate_sources(recipe.run.info, recipe.run.guid);
    return recipe;
}

}  // namespace cli
