// Processes: every file of /proc/<pid> that says how one is confined.
#include "base/fail.hpp"
#include "base/parse.hpp"
#include "base/sys/file.hpp"
#include "garden/audit/collect.hpp"
#include "garden/audit/parse.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>

namespace garden::audit {

namespace {

namespace sys = base::sys;

constexpr std::size_t kMaxFile = std::size_t{4} << 20;
constexpr std::array kNamespaces = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};
constexpr std::array kIndexed = {"pid", "mnt", "user"};
constexpr std::chrono::milliseconds kFresh{200};

std::uint64_t namespace_of(const std::string& process, const char* kind) {
    const auto id = sys::file_id(process + "/ns/" + kind);
    return id ? id->inode : 0;
}

std::set<std::uint64_t> mount_ids(base::FdRef process) {
    std::set<std::uint64_t> ids;
    const auto text = sys::read_file_at(process, "mountinfo", kMaxFile);
    if (!text) return ids;
    for (const auto& mount : parse_mounts(*text)) ids.insert(mount.id);
    return ids;
}

// A path that is open through a mount which the process cannot reach leads out of its view. The
// null device of the host is what helpers get for input; it leads nowhere.
bool is_foreign(
        base::FdRef process,
        const std::string& number,
        const std::string& target,
        const std::set<std::uint64_t>& mounts) {
    if (!target.starts_with('/') || target.starts_with("/memfd:") || target == "/dev/null" ||
        mounts.empty())
        return false;
    const auto info = sys::read_file_at(process, "fdinfo/" + number);
    if (!info) return false;  // closed meanwhile
    for (const auto line : lines_of(*info)) {
        if (!line.starts_with("mnt_id:")) continue;
        const auto id = base::parse_number<std::uint64_t>(trimmed(line.substr(7)), "mnt_id");
        return id && !mounts.contains(*id);
    }
    return false;
}

std::vector<Descriptor> descriptors_of(base::FdRef process) {
    std::vector<Descriptor> found;
    const auto directory = sys::open_at(process, "fd", O_RDONLY | O_DIRECTORY);
    if (!directory) return found;
    const auto names = sys::list_directory(*directory);
    if (!names) return found;
    const auto mounts = mount_ids(process);
    for (const auto& name : *names) {
        if (found.size() >= kMaxDescriptors) break;
        const auto target = sys::read_link_at(*directory, name);
        const auto number = base::parse_number<int>(name, "descriptor");
        if (!target || !number) continue;
        found.push_back(
                {.number = *number,
                 .target = *target,
                 .foreign = is_foreign(process, name, *target, mounts)});
    }
    return found;
}

std::string text_or_nothing(base::FdRef process, const char* name) {
    return sys::read_file_at(process, name, kMaxFile).value_or(std::string());
}

std::vector<std::int32_t> pids_of_host() {
    std::vector<std::int32_t> pids;
    const auto proc = sys::open_host("/proc", O_RDONLY | O_DIRECTORY);
    if (!proc) return pids;
    const auto names = sys::list_directory(*proc);
    if (!names) return pids;
    for (const auto& name : *names) {
        const auto pid = base::parse_number<std::int32_t>(name, "pid");
        if (pid) pids.push_back(*pid);
    }
    return pids;
}

}  // namespace

std::map<std::string, std::uint64_t> own_namespaces() {
    std::map<std::string, std::uint64_t> all;
    // Of this thread: its network namespace need not be the process's.
    for (const char* kind : kNamespaces) all[kind] = namespace_of("/proc/thread-self", kind);
    return all;
}

std::shared_ptr<const NamespaceIndex::Scan> NamespaceIndex::scan() {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (scan_ && now - at_ < kFresh) return scan_;
    auto fresh = std::make_shared<Scan>();
    for (const auto pid : pids_of_host()) {
        for (const char* kind : kIndexed) {
            const auto inode = namespace_of("/proc/" + std::to_string(pid), kind);
            if (inode != 0) (*fresh)[{kind, inode}].push_back(pid);
        }
    }
    scan_ = std::move(fresh);
    at_ = std::chrono::steady_clock::now();
    return scan_;
}

std::vector<std::int32_t> NamespaceIndex::members(const std::string& kind, std::uint64_t inode) {
    const auto current = scan();
    const auto found = current->find({kind, inode});
    return found == current->end() ? std::vector<std::int32_t>() : found->second;
}

base::Result<ProcessView> look_at_process(std::int32_t pid, bool init) {
    const std::string path = "/proc/" + std::to_string(pid);
    // One directory for all files: a pid that is used again is another directory.
    const auto process = TRY(sys::open_host(path, O_PATH | O_DIRECTORY));
    ProcessView view{.pid = pid, .init = init};
    read_status(TRY(sys::read_file_at(process, "status")), view);
    const auto stat = TRY(sys::read_file_at(process, "stat"));
    view.start_time = start_time_of(stat);
    view.policy = policy_of(stat);
    for (const char* kind : kNamespaces) {
        const auto inode = namespace_of(path, kind);
        if (inode != 0) view.namespaces[kind] = inode;
    }
    view.uid_map = parse_id_map(text_or_nothing(process, "uid_map"));
    view.gid_map = parse_id_map(text_or_nothing(process, "gid_map"));
    read_limits(text_or_nothing(process, "limits"), view);
    const auto score = base::parse_number<int>(
            trimmed(text_or_nothing(process, "oom_score_adj")), "oom_score_adj");
    if (score) view.oom_score_adj = *score;
    view.descriptors = descriptors_of(process);
    if (const auto id = sys::file_id(path + "/exe")) view.program = *id;
    view.program_path = sys::read_link_at(process, "exe").value_or(std::string());
    view.cgroups = parse_cgroups(text_or_nothing(process, "cgroup"));
    view.environment = environment_names(text_or_nothing(process, "environ"));
    // Gone in between: half of the above is nobody's.
    (void)TRY(sys::read_file_at(process, "stat"));
    if (namespace_of(path, "mnt") == 0)
        return base::fail(base::Errc::not_found, "process {} has ended", pid);
    return view;
}

namespace {

std::set<std::int32_t> everybody(
        const Expected& expected,
        const Target& target,
        const ProcessView& init,
        NamespaceIndex& index) {
    std::set<std::int32_t> pids(target.members.begin(), target.members.end());
    for (const std::string kind : {"pid", "mnt", "user"}) {
        if (kind == "user" && !expected.user_namespace()) continue;
        const auto inode = init.namespaces.find(kind);
        if (inode == init.namespaces.end()) continue;
        for (const auto pid : index.members(kind, inode->second)) pids.insert(pid);
    }
    pids.erase(init.pid);
    return pids;
}

void look_at_daemon(Outside& outside) {
    outside.daemon_namespaces = own_namespaces();
    const auto score = base::parse_number<int>(
            trimmed(sys::read_host_file("/proc/self/oom_score_adj").value_or(std::string())),
            "oom_score_adj");
    if (score) outside.daemon_oom_score_adj = *score;
    if (const auto self = sys::file_id("/proc/self/exe"))
        outside.engine_programs.emplace(*self, "the daemon");
    // What a service manager tells a daemon, and the daemon's own settings (PL-06).
    outside.daemon_environment = {"NOTIFY_SOCKET",         "LISTEN_FDS",           "LISTEN_PID",
                                  "LISTEN_FDNAMES",        "INVOCATION_ID",        "JOURNAL_STREAM",
                                  "CREDENTIALS_DIRECTORY", "WATCHDOG_USEC",        "WATCHDOG_PID",
                                  "SYSTEMD_EXEC_PID",      "MEMORY_PRESSURE_WATCH"};
    const auto own = sys::read_host_file("/proc/self/environ", kMaxFile).value_or(std::string());
    for (const auto& name : environment_names(own))
        if (name.starts_with("CLOCHE_") || name.starts_with("LD_"))
            outside.daemon_environment.insert(name);
}

}  // namespace

Outside look_outside(const Expected& expected, const Target& target, NamespaceIndex& index) {
    Outside outside;
    look_at_daemon(outside);
    auto init = look_at_process(target.init_pid, true);
    if (!init) {
        outside.problems["processes"] = init.error().text;
    } else {
        const auto others = everybody(expected, target, *init, index);
        outside.processes.push_back(std::move(*init));
        for (const auto pid : others) {
            if (outside.processes.size() >= kMaxProcesses) {
                outside.truncated = true;
                break;
            }
            auto process = look_at_process(pid, false);
            if (process) outside.processes.push_back(std::move(*process));
        }
    }
    if (expected.user_namespace()) {
        const auto file =
                sys::open_host(base::format("/proc/{}/ns/user", target.init_pid), O_RDONLY);
        const auto owner =
                file ? sys::namespace_owner(*file) : base::Result<std::uint32_t>(file.error());
        if (owner) outside.user_namespace_owner = *owner;
        const auto users = sys::read_host_file("/proc/key-users").value_or(std::string());
        for (const auto line : lines_of(users))
            if (trimmed(line).starts_with(std::to_string(expected.id_base) + ":"))
                outside.keys_of_range = true;
    }
    look_at_mounts(expected, target.init_pid, outside);
    look_at_cgroups(target.views, expected.container_class, outside);
    if (expected.lease) look_at_network(expected, outside);
    return outside;
}

}  // namespace garden::audit
