// What the engine tells the event log (OBS-04): who was allowed what. Everything that is less than
// the default isolation has a name here, as auditors search for it.
#include "base/version.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/plan/launch_plan.hpp"

#include <algorithm>

namespace garden {

namespace {

constexpr std::size_t kToldCalls = 16;  // of a summary of denials

void add_bind_mounts(std::vector<std::string>& out, const std::vector<BindMountSpec>& mounts) {
    for (const auto& mount : mounts)
        out.push_back(
                (mount.writable ? "writable_bind_mount:" : "bind_mount:") + mount.destination);
}

// By the names that `cloche audit` has for them (garden/audit/checks_limits.cpp).
std::vector<std::string> relaxations_of(const ContainerSpec& spec) {
    std::vector<std::string> out;
    if (spec.container_class != ContainerClass::unprivileged)
        out.push_back(std::string(security::to_string(plan::to_security(spec.container_class))));
    if (!spec.seccomp_profile.empty()) out.emplace_back("seccomp_profile");
    add_bind_mounts(out, spec.bind_mounts);
    if (spec.limits.memory_bytes == 0) out.emplace_back("no_memory_limit");
    if (spec.limits.pids == 0) out.emplace_back("no_process_limit");
    if (spec.limits.disk_bytes == 0) out.emplace_back("no_disk_limit");
    return out;
}

std::vector<std::string> relaxations_of(const EngineConfig& config) {
    std::vector<std::string> out;
    if (config.allow_privileged) out.emplace_back("privileged_containers_allowed");
    if (config.network.allow_host_access) out.emplace_back("allow_host_access");
    if (!config.network.isolate_shared_subnets) out.emplace_back("compat.garden_shared_subnets");
    if (config.garden_inheritable) out.emplace_back("compat.garden_inheritable");
    if (config.garden_id_mapping) out.emplace_back("compat.garden_id_mapping");
    if (!config.swap_limit) out.emplace_back("no_swap_limit");
    // What they make is theirs: none of our rules and checks is in it.
    if (!config.network_plugin.program.empty())
        out.push_back("network_plugin:" + config.network_plugin.program);
    if (!config.image_plugin.unprivileged.path.empty())
        out.push_back("image_plugin:" + config.image_plugin.unprivileged.path);
    if (!config.image_plugin.privileged.path.empty())
        out.push_back("privileged_image_plugin:" + config.image_plugin.privileged.path);
    return out;
}

}  // namespace

void tell_denials(security::EventLog& events, Container& container) {
    const auto news = container.denials.news();
    if (!news) return;
    std::vector<std::string> calls;
    for (const auto& entry : news->calls) {
        if (calls.size() < kToldCalls)
            calls.push_back(entry.call + "=" + std::to_string(entry.count));
    }
    events.append(
            "container.denials", container.handle.get(),
            {{"calls", calls},
             {"total", news->total + news->suppressed},
             {"different", std::uint64_t{news->calls.size()}}});
}

void Gardener::tell_started() {
    parts_.events->append(
            "gardend.start", "",
            {{"version", std::string(base::version())},
             {"key", parts_.events->figures().key},
             {"containers", std::uint64_t{registry_.all().size()}},
             {"relaxations", relaxations_of(parts_.config)},
             {"denials", denials_->figures().why}});
}

void Gardener::tell_created(const ContainerRecord& record) {
    const auto& spec = record.spec;
    parts_.events->append(
            "container.create", record.handle.get(),
            {{"class", std::string(security::to_string(plan::to_security(spec.container_class)))},
             {"image", record.image_reference},
             {"image_digest", record.image_digest},
             {"network", spec.network},
             {"net_out_rules", std::uint64_t{spec.out_rules.size()}},
             {"memory_bytes", spec.limits.memory_bytes},
             {"disk_bytes", spec.limits.disk_bytes},
             {"pids", spec.limits.pids},
             {"no_new_privileges", spec.no_new_privileges ? "yes" : "no"},
             {"uid_base", std::uint64_t{record.range.base}},
             {"relaxations", relaxations_of(spec)}});
}

void Gardener::tell_run(
        const Container& container, const ProcessSpec& spec, const launch::ProcessPlan& plan) {
    // A process with the host's root is a decision each time, and so is a pea that may write files
    // of the host; others are in the denials and the API calls. Its arguments may hold secrets, so
    // only the program is told.
    std::vector<std::string> relaxations;
    const bool mighty = container.facts.container_class != security::Class::unprivileged;
    if (mighty)
        relaxations.push_back(std::string(security::to_string(container.facts.container_class)));
    add_bind_mounts(relaxations, spec.bind_mounts);
    const bool writes = std::any_of(
            spec.bind_mounts.begin(), spec.bind_mounts.end(),
            [](const auto& mount) { return mount.writable; });
    if (!mighty && !writes) return;
    parts_.events->append(
            "process.run", container.handle.get(),
            {{"process", spec.id},
             {"user", spec.user},
             {"program", plan.argv.empty() ? std::string() : plan.argv.front()},
             {"pea", plan.pea ? "yes" : "no"},
             {"image", spec.image.uri},
             {"class", std::string(security::to_string(container.facts.container_class))},
             {"relaxations", std::move(relaxations)}});
}

void Gardener::tell_limits(
        const Handle& handle, const LimitsSpec& before, const LimitsSpec& after) {
    security::EventFields fields;
    const auto add = [&](const char* name, std::uint64_t LimitsSpec::*member) {
        if (before.*member == after.*member) return;
        fields.emplace_back(name, after.*member);
        fields.emplace_back(std::string(name) + "_before", before.*member);
    };
    add("memory_bytes", &LimitsSpec::memory_bytes);
    add("cpu_weight", &LimitsSpec::cpu_weight);
    add("cpu_shares", &LimitsSpec::cpu_shares);
    add("disk_bytes", &LimitsSpec::disk_bytes);
    add("pids", &LimitsSpec::pids);
    add("bandwidth_rate", &LimitsSpec::bandwidth_rate);
    add("bandwidth_burst", &LimitsSpec::bandwidth_burst);
    std::vector<std::string> relaxations;
    if (after.memory_bytes == 0 && before.memory_bytes != 0)
        relaxations.emplace_back("no_memory_limit");
    if (after.pids == 0 && before.pids != 0) relaxations.emplace_back("no_process_limit");
    if (after.disk_bytes == 0 && before.disk_bytes != 0) relaxations.emplace_back("no_disk_limit");
    fields.emplace_back("relaxations", std::move(relaxations));
    parts_.events->append("policy.limits", handle.get(), std::move(fields));
}

void Gardener::tell_net_out(
        const Handle& handle, const std::vector<OutRuleSpec>& rules, bool replaced) {
    std::vector<std::string> texts;
    for (const auto& rule : rules) {
        auto text = "protocol " + std::to_string(rule.protocol) + " to";
        for (const auto& span : rule.networks) text += " " + span.first + "-" + span.last;
        if (rule.networks.empty()) text += " everywhere";
        for (const auto& ports : rule.ports)
            text += " :" + std::to_string(ports.first) + "-" + std::to_string(ports.last);
        texts.push_back(std::move(text));
    }
    parts_.events->append(
            replaced ? "policy.net_out_replaced" : "policy.net_out", handle.get(),
            {{"rules", std::move(texts)}, {"count", std::uint64_t{rules.size()}}});
}

void Gardener::tell_net_in(const Handle& handle, const MappedPort& port) {
    parts_.events->append(
            "policy.net_in", handle.get(),
            {{"host_port", std::uint64_t{port.host_port}},
             {"container_port", std::uint64_t{port.container_port}}});
}

}  // namespace garden
