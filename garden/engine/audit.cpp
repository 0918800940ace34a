// Audit: one container compared with its record from outside and from inside, and the host
// (OBS-01). Looks and never mends; what it runs inside is garden-probe, which changes nothing
// (OBS-03).
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/partial.hpp"
#include "garden/audit/collect.hpp"
#include "garden/audit/parse.hpp"
#include "garden/audit/probe/format.hpp"
#include "garden/audit/report.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/engine/out_rules.hpp"
#include "garden/plan/process_plan.hpp"
#include "security/devices.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/utsname.h>

#include <algorithm>
#include <condition_variable>
#include <set>

namespace garden {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kProbeBytes = std::size_t{16} << 20;  // of the program
constexpr std::chrono::milliseconds kProbeTime{2'000};      // OBS-03
// What a first look found may have been a process on its way from the shim to its own program.
constexpr std::chrono::milliseconds kSecondLook{150};
constexpr std::uint32_t kNobody = 65'534;

// What arrives until `until`; an error when the pipe is still open then.
base::Result<std::string> read_until(base::FdRef pipe, Clock::time_point until) {
    std::string text;
    std::vector<char> buffer(std::size_t{64} << 10);
    for (;;) {
        const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        pollfd ready{.fd = pipe.get(), .events = POLLIN, .revents = 0};
        if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) == 0)
            return base::fail(
                    base::Errc::timeout, "the probe gave no answer in {} ms", kProbeTime.count());
        const auto size = TRY(base::sys::read_some(pipe, buffer));
        if (!size) continue;
        if (*size == 0) return text;
        text.append(buffer.data(), *size);
        if (text.size() > audit::probe::kMaxAnswer)
            return base::fail(
                    base::Errc::exhausted, "the probe's answer is longer than {} bytes",
                    audit::probe::kMaxAnswer);
    }
}

std::uint64_t rules_of(const std::vector<OutRuleSpec>& specs) {
    const auto rules = parse_out_rules(specs);
    if (!rules) return 0;
    std::uint64_t count = 0;
    for (const auto& rule : *rules)
        count += std::max<std::size_t>(1, rule.networks.size()) *
                 std::max<std::size_t>(1, rule.ports.size());
    return count;
}

bool finding(const api::AuditCheck& check) {
    return check.relaxation.empty() && api::is_finding(check);
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

}  // namespace

base::Result<audit::Expected> Gardener::expected_of(Container& container) {
    audit::Expected expected;
    const std::lock_guard lock(container.mutex);
    const auto& record = container.record;
    expected.handle = container.handle.get();
    expected.spec = record.spec;
    expected.container_class = container.facts.container_class;
    expected.host = parts_.facts;
    expected.id_base = container.facts.id_base;
    expected.id_length = container.facts.id_length;
    expected.plan = plan::plan_container(record.spec, parts_.facts, container.facts);
    expected.user = TRY(plan::plan_confinement(
            parts_.facts, container.facts, container.no_new_privileges, kNobody, {}));
    expected.limits = {
            .memory_bytes = record.spec.limits.memory_bytes,
            .swap_limit = parts_.config.swap_limit,
            .cpu_shares = effective_shares(record.spec.limits),
            .pids = record.spec.limits.pids};
    for (const auto& rule : security::device_rules(expected.container_class))
        expected.device_rules.push_back(security::to_string(rule));
    expected.filter_hash = container.facts.filter.hash;
    expected.lease = record.lease;
    expected.network_tag = parts_.config.tag;
    expected.out_rules = rules_of(record.spec.out_rules);
    expected.no_new_privileges = container.no_new_privileges;
    expected.garden_inheritable = parts_.config.garden_inheritable;
    expected.garden_id_mapping = parts_.config.garden_id_mapping;
    expected.garden_ids = container.facts.garden_ids;
    expected.peas = !container.peas.all().empty();
    expected.shared_subnets = record.lease && !record.lease->bridge.empty() &&
                              !parts_.config.network.isolate_shared_subnets;
    expected.allow_host_access = parts_.config.network.allow_host_access;
    expected.egress_deny = parts_.config.network.egress_deny;
    expected.network_plugin = record.network_plugin;
    expected.image_plugin = record.image_plugin;
    expected.swap_limit = parts_.config.swap_limit;
    expected.cgroup = (parts_.config.tag.empty() ? "garden" : "garden-" + parts_.config.tag) + "/" +
                      expected.handle;
    return expected;
}

audit::Outside Gardener::look_outside(Container& container, const audit::Expected& expected) {
    audit::Target target{.init_pid = container.init_pid};
    const auto members = container.group->processes();
    if (members) target.members = *members;
    const auto views = container.group->views();
    if (views) {
        for (std::size_t i = 0; i < views->size(); ++i)
            target.views.emplace_back(parts_.facts.cgroup_hierarchies.at(i), (*views)[i]);
    }
    auto outside = audit::look_outside(expected, target, audited_);
    if (!members) outside.problems["processes"] = members.error().text;
    if (!views) outside.problems["cgroups"] = views.error().text;
    for (const char* name : {"garden-shim", "garden-init", "garden-copy", "garden-probe"}) {
        const auto id = base::sys::file_id(parts_.config.program_directory + "/" + name);
        if (id) outside.engine_programs.emplace(*id, name);
    }
    const auto limits = container.group->limits();
    if (limits) {
        outside.limits = *limits;
    } else {
        outside.problems["cgroups"] = limits.error().text;
    }
    const auto filter = base::sys::read_file_at(container.bundle, kFilterFile);
    if (filter) outside.stored_filter = first_line(*filter);
    return outside;
}

base::Result<std::string> Gardener::probe(
        Container& container, std::uint32_t uid, const std::string& request) {
    const auto text = TRY(base::sys::read_host_file(
            parts_.config.program_directory + "/garden-probe", kProbeBytes));
    const auto program = TRY(base::sys::sealed_memory_file("garden-probe", text, true));  // PL-03
    auto input = TRY(base::sys::make_pipe());
    auto output = TRY(base::sys::make_pipe());
    const auto null = TRY(base::sys::open_host("/dev/null", O_RDWR));
    const security::User user{.uid = uid, .gid = uid};
    const auto id = base::format("garden-probe.{}", helpers_.fetch_add(1));
    const auto plan = TRY(plan::plan_helper(
            {.id = id,
             .argv = {"garden-probe"},
             .user = &user,
             .no_new_privileges = container.no_new_privileges},
            parts_.facts, container.facts));
    // Shorter than what a pipe holds, so nobody is waited for.
    TRY(base::sys::write_all(input.write, request));
    input.write.reset();
    TRY(container.processes.reserve({.id = id, .user = "", .argv = plan.argv}, false, true));
    const auto fds = std::to_array<base::FdRef>({program, input.read, output.write, null});
    auto started = container.shim->run(plan, fds);
    if (!started) {
        container.processes.drop(id);
        return std::move(started).error().context("start the probe");
    }
    output.write.reset();
    auto answer = read_until(output.read, Clock::now() + kProbeTime);
    if (!answer) (void)container.shim->signal(id, SIGKILL);
    forget_internal(container, id);
    return answer;
}

void Gardener::look_inside(Container& container, audit::Evidence& evidence) {
    const auto begin = Clock::now();
    const auto answer = probe(container, 0, audit::probe_request(evidence.expected));
    if (!answer) {
        evidence.inside_problem = answer.error().text;
        return;
    }
    auto inside = audit::parse_answers(*answer);
    if (!inside) {
        evidence.inside_problem = inside.error().text;
        return;
    }
    const auto plain = probe(container, kNobody, "text /proc/self/status\n");
    const auto seen =
            plain ? audit::parse_answers(*plain) : base::Result<audit::Inside>(plain.error());
    if (seen) {
        inside->user = seen->process;
    } else {
        evidence.inside_problem = seen.error().text;
    }
    inside->took_ms =
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
    evidence.inside = std::move(*inside);
}

base::Result<audit::ContainerAudit> Gardener::audit(const Handle& handle) {
    const auto begin = Clock::now();
    const auto container = TRY(living(handle));
    audit::Evidence evidence{.expected = TRY(expected_of(*container))};
    evidence.outside = look_outside(*container, evidence.expected);
    look_inside(*container, evidence);
    auto checks = audit::check_container(evidence);
    if (std::any_of(checks.begin(), checks.end(), finding)) {
        std::set<std::pair<std::int32_t, std::uint64_t>> before;
        for (const auto& process : evidence.outside.processes)
            before.emplace(process.pid, process.start_time);
        base::pause_for(kSecondLook);  // there is no event for "has executed its program"
        evidence.outside = look_outside(*container, evidence.expected);
        std::erase_if(evidence.outside.processes, [&](const audit::ProcessView& process) {
            return !before.contains({process.pid, process.start_time});
        });
        look_inside(*container, evidence);
        checks = audit::check_container(evidence);
    }
    audit::ContainerAudit out;
    out.belongings = audit::belongings_of(evidence.expected, evidence.outside);
    out.subject = {
            .kind = api::AuditKind::container,
            .name = handle.get(),
            .container_class = std::string(security::to_string(evidence.expected.container_class)),
            .relaxations = audit::relaxations_of(checks),
            .settings_sha256 = audit::sha256_of(audit::settings_json(evidence)),
            .checks = std::move(checks)};
    out.subject.duration_ms = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count());
    return out;
}

api::AuditSubject Gardener::audit_host() {
    const auto begin = Clock::now();
    const auto& hierarchies = parts_.facts.cgroup_hierarchies;
    auto host = audit::look_at_host(
            {.store_directory = parts_.config.store_directory,
             .state_directory = parts_.config.state_directory + "/depot",
             .endpoints = parts_.config.api_endpoints,
             .hierarchies = std::set<std::string>(hierarchies.begin(), hierarchies.end())});
    host.allow_privileged = parts_.config.allow_privileged;
    host.image_policy = parts_.config.images.policy_file;
    if (parts_.config.garden_inheritable)
        host.relaxations.emplace_back("compat.garden_inheritable");
    if (parts_.config.garden_id_mapping) host.relaxations.emplace_back("compat.garden_id_mapping");
    if (!parts_.config.network.isolate_shared_subnets)
        host.relaxations.emplace_back("compat.garden_shared_subnets");
    if (parts_.config.network.allow_host_access) host.relaxations.emplace_back("allow_host_access");
    auto checks = audit::check_host(host);
    utsname name{};
    (void)::uname(&name);
    return {.kind = api::AuditKind::host,
            .name = static_cast<const char*>(name.nodename),
            .relaxations = audit::relaxations_of(checks),
            .duration_ms = static_cast<std::uint64_t>(
                    std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin)
                            .count()),
            .checks = std::move(checks)};
}

}  // namespace garden
