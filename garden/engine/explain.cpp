// Why something was refused in a container: from its record, plan, filter, ids and group to the
// layer that says no. Looks and changes nothing.
#include "garden/engine/explain.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "base/sys/pidfd.hpp"
#include "garden/engine/gardener.hpp"
#include "security/capabilities.hpp"
#include "security/devices.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <linux/mount.h>

#include <algorithm>

namespace garden {

namespace {

using base::Errc;
using Access = security::PathQuestion::Access;

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxCall = 64;
constexpr std::size_t kMaxComponents = 64;

base::Result<Access> path_access(const std::string& text) {
    if (text.empty()) return Access::any;
    if (text == "read") return Access::read;
    if (text == "write") return Access::write;
    return base::fail(
            Errc::invalid, "access: expected read or write, got \"{}\"", text.substr(0, 32));
}

base::Result<void> check_path(const std::string& path) {
    const bool good = path.starts_with('/') && path.size() <= kMaxPath &&
                      path.find('\0') == std::string::npos &&
                      (path + "/").find("/../") == std::string::npos &&
                      (path + "/").find("/./") == std::string::npos &&
                      path.find("//") == std::string::npos;
    if (good) return base::ok;
    return base::fail(
            Errc::invalid, "path: expected an absolute path without . and .., at most {} bytes",
            kMaxPath);
}

// "c 1:3", as rules have it but for what may be done.
base::Result<security::DeviceQuestion> parse_device(
        const std::string& text, const std::string& access) {
    const auto rule = security::parse_device_rule(text + " m");
    if (!rule || !rule->major || !rule->minor) {
        return base::fail(
                Errc::invalid, "device: expected like \"c 1:3\", got \"{}\"", text.substr(0, 64));
    }
    if (!access.empty() && access != "read" && access != "write" && access != "make") {
        return base::fail(
                Errc::invalid, "access: expected read, write or make, got \"{}\"",
                access.substr(0, 32));
    }
    return security::DeviceQuestion{
            .type = rule->type,
            .major = *rule->major,
            .minor = *rule->minor,
            .read = access == "read",
            .write = access == "write",
            .make = access == "make"};
}

Explained to_explained(std::string question, security::Explanation found) {
    return {.question = std::move(question),
            .count = 0,
            .refused = found.layer != security::Layer::none,
            .layer = std::string(security::to_string(found.layer)),
            .rule = std::move(found.rule),
            .seen_as = std::move(found.seen_as),
            .because = std::move(found.because),
            .remedy = std::move(found.remedy)};
}

// Of a process that runs, from the kernel: programs give up what they were started with.
base::Result<std::uint64_t> effective_of(const ProcessTable& table, const std::string& id) {
    const auto pid_of = [&]() -> base::Result<std::int32_t> {
        for (const auto& row : table.rows())
            if (row.id == id && !row.exited && row.host_pid > 0) return row.host_pid;
        return base::fail(Errc::not_found, "unknown process: {}", id);
    };
    const auto pid = TRY(pid_of());
    const auto directory = TRY(base::sys::open_host(base::format("/proc/{}", pid), O_PATH));
    const auto status = TRY(base::sys::read_file_at(directory, "status"));
    // The number is its own as long as it has not ended.
    if (TRY(pid_of()) != pid) return base::fail(Errc::not_found, "unknown process: {}", id);
    constexpr std::string_view kName = "\nCapEff:\t";
    const auto at = status.find(kName);
    if (at == std::string::npos)
        return base::fail(Errc::corrupt, "process {} has no CapEff in its status", id);
    std::uint64_t mask = 0;
    for (const char c : std::string_view(status).substr(at + kName.size(), 16)) {
        if (c >= '0' && c <= '9')
            mask = mask << 4 | static_cast<unsigned>(c - '0');
        else if (c >= 'a' && c <= 'f')
            mask = mask << 4 | static_cast<unsigned>(c - 'a' + 10);
        else
            return base::fail(Errc::corrupt, "process {}: CapEff is no number", id);
    }
    return mask;
}

bool is_mapped(const plan::ContainerFacts& facts, std::uint32_t id) {
    if (facts.garden_ids)
        return id == plan::kGardenRootId || (id >= 1 && id < plan::kGardenIdLength);
    return id >= facts.id_base && id - facts.id_base < facts.id_length;
}

// Whether somebody else's file lets everybody in; directories on the way only have to be passed.
bool open_to_others(unsigned mode, bool last, Access access) {
    if (!last) return (mode & S_IXOTH) != 0;
    const bool read = access == Access::write || (mode & S_IROTH) != 0;
    const bool write = access == Access::read || (mode & S_IWOTH) != 0;
    return read && write;
}

}  // namespace

base::Result<security::ExplainFacts> Gardener::explain_facts(
        Container& container, const std::string& process) {
    security::ExplainFacts facts;
    plan::LaunchPlan plan;
    {
        const std::lock_guard lock(container.mutex);
        const auto& record = container.record;
        plan = plan::plan_container(record.spec, parts_.facts, container.facts);
        facts.container_class = container.facts.container_class;
        facts.listing = container.facts.filter.listing;
        facts.own_profile = !record.spec.seccomp_profile.empty();
        facts.pids_limit = record.spec.limits.pids;
    }
    facts.capabilities = plan.container.init.capabilities.bounding;
    facts.user_namespace = plan::has_user_namespace(facts.container_class);
    facts.masked = plan.container.masked;
    facts.read_only = plan.container.read_only;
    for (const auto& mount : plan.container.mounts) {
        const bool bind =
                mount.fd != launch::kNoFd &&
                plan.fds.at(static_cast<std::size_t>(mount.fd)).kind == plan::FdKind::bind_mount;
        facts.mounts.push_back(
                {.target = mount.target,
                 .read_only = (mount.attributes & MOUNT_ATTR_RDONLY) != 0,
                 .bind = bind});
    }
    facts.devices = security::device_rules(facts.container_class);
    if (facts.container_class == security::Class::privileged) {
        const auto& more = parts_.config.privileged_devices;  // DEV-05
        facts.devices.insert(facts.devices.end(), more.begin(), more.end());
    }
    if (facts.pids_limit != 0) facts.pids = TRY(container.group->metrics()).pids.current;
    if (!process.empty()) facts.effective = TRY(effective_of(container.processes, process));
    return facts;
}

// MD-01: nothing on the way is opened but as a place, and links stay below the container's root.
base::Result<bool> Gardener::is_host_owned(
        Container& container, const std::string& path, Access access) {
    if (!plan::has_user_namespace(container.facts.container_class)) return false;
    const auto root = TRY(base::sys::open_host(
            base::format("/proc/{}/root", container.init_pid), O_PATH | O_DIRECTORY));
    if (TRY(base::sys::has_ended(container.init))) {
        return base::fail(
                Errc::conflict, "container {} is dead: garden-init has ended",
                container.handle.get());
    }
    std::size_t end = 0;
    for (std::size_t i = 0; i < kMaxComponents && end < path.size(); ++i) {
        end = std::min(path.find('/', end + 1), path.size());
        const auto place = base::sys::open_in(
                root, path.substr(1, end - 1), O_PATH, base::sys::Resolve::in_root);
        if (!place) return false;  // what is not there, nobody owns
        struct stat info = {};
        if (::fstat(place->get(), &info) != 0) return false;
        const bool ours =
                is_mapped(container.facts, info.st_uid) || is_mapped(container.facts, info.st_gid);
        if (!ours && !open_to_others(info.st_mode, end == path.size(), access)) return true;
    }
    return false;
}

base::Result<Explained> Gardener::explain_inside(
        Container& container, const ExplainRequest& request) {
    const auto facts = TRY(explain_facts(container, request.process));
    if (!request.call.empty()) {
        const bool word = request.call.size() <= kMaxCall &&
                          std::all_of(request.call.begin(), request.call.end(), [](char c) {
                              return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                          });
        if (!word) {
            return base::fail(
                    Errc::invalid, "call: expected the name of a system call, got \"{}\"",
                    request.call.substr(0, kMaxCall));
        }
        return to_explained(
                "call " + request.call,
                security::explain(security::CallQuestion{request.call}, facts));
    }
    const auto with = request.access.empty() ? "" : request.access + " ";
    if (!request.device.empty()) {
        const auto question = TRY(parse_device(request.device, request.access));
        return to_explained(
                base::format("{}device {}", with, request.device),
                security::explain(question, facts));
    }
    TRY(check_path(request.path));
    security::PathQuestion question{
            .path = request.path, .host_owned = false, .access = TRY(path_access(request.access))};
    question.host_owned = TRY(is_host_owned(container, question.path, question.access));
    return to_explained(
            base::format("{}path {}", with, request.path), security::explain(question, facts));
}

// What the filter refused since it is counted.
base::Result<void> Gardener::explain_recent(
        Container& container, const ExplainRequest& request, ExplainReport& report) {
    const auto found = TRY(denials(container.handle));
    if (!found.host.available || !found.host.why.empty())
        report.notes.push_back("refused calls: " + found.host.why);
    const auto facts = TRY(explain_facts(container, request.process));
    for (const auto& entry : found.report.calls) {
        auto explained = to_explained(
                "call " + entry.call, security::explain(security::CallQuestion{entry.call}, facts));
        explained.count = entry.count;
        report.explanations.push_back(std::move(explained));
    }
    if (found.report.suppressed + found.report.other > 0)
        report.notes.push_back(base::format(
                "refused calls: {} more were only counted",
                found.report.suppressed + found.report.other));
    return base::ok;
}

base::Result<ExplainReport> Gardener::explain(const Handle& handle, const ExplainRequest& request) {
    const int asked = (request.call.empty() ? 0 : 1) + (request.path.empty() ? 0 : 1) +
                      (request.device.empty() ? 0 : 1) + (request.connect.empty() ? 0 : 1);
    if (asked > 1)
        return base::fail(Errc::invalid, "at most one of call, path, device and connect");
    const auto container = TRY(living(handle));
    ExplainReport report;
    if (asked == 0) {
        TRY(explain_recent(*container, request, report));
        TRY(explain_connections(*container, report));
        return report;
    }
    if (!request.connect.empty()) {
        const auto protocol = TRY(net::parse_protocol(request.protocol));
        const auto question = TRY(net::parse_connect(request.connect, protocol));
        report.explanations.push_back(TRY(explain_connect(*container, question)));
    } else {
        report.explanations.push_back(TRY(explain_inside(*container, request)));
    }
    return report;
}

}  // namespace garden
