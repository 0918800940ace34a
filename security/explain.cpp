#include "security/explain.hpp"

#include "base/fail.hpp"
#include "security/seccomp_lists.hpp"

#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <optional>

namespace security {

namespace {

constexpr std::string_view kOwnProfile =
        "a seccomp profile of its own (cloche.seccomp_profile, --seccomp)";

// What the client can ask for so that a call of 6.4 is let through.
struct Unlock {
    std::string_view calls;
    std::string_view by;
};

constexpr std::array<Unlock, 12> kUnlocks = {{
        {"mount umount2 pivot_root open_tree move_mount fsopen fsconfig fsmount fspick "
         "mount_setattr",
         "a privileged class, or SYS_ADMIN in a custom profile"},
        {"unshare setns sethostname setdomainname fanotify_init", "a privileged class (SYS_ADMIN)"},
        {"open_by_handle_at", "an explicit profile; not DAC_READ_SEARCH alone"},
        {"init_module finit_module delete_module create_module query_module get_kernel_syms "
         "kexec_load kexec_file_load reboot",
         "nothing: never in an unprivileged container"},
        {"bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register",
         "an explicit profile for this call"},
        {"vmsplice move_pages migrate_pages process_madvise add_key request_key keyctl",
         "an explicit profile for this call"},
        {"kcmp pidfd_getfd", "SYS_PTRACE in a custom profile"},
        {"mbind set_mempolicy get_mempolicy set_mempolicy_home_node",
         "SYS_NICE in a custom profile"},
        {"settimeofday clock_settime", "nothing: the clock is the host's"},
        {"syslog acct quotactl quotactl_fd swapon swapoff lookup_dcookie",
         "nothing in an unprivileged container: these are the host's"},
        {"iopl ioperm modify_ldt vhangup", "a custom profile"},
        {"uselib ustat sysfs _sysctl nfsservctl getpmsg putpmsg afs_syscall tuxcall security "
         "vserver",
         "nothing: obsolete"},
}};

struct Need {
    std::string_view calls;
    unsigned capability;
    std::string_view name;
};

constexpr std::array<Need, 17> kNeeds = {{
        {"mount umount2 pivot_root unshare setns sethostname setdomainname swapon swapoff "
         "fanotify_init quotactl open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr",
         CAP_SYS_ADMIN, "SYS_ADMIN"},
        {"chroot", CAP_SYS_CHROOT, "SYS_CHROOT"},
        {"mknod mknodat", CAP_MKNOD, "MKNOD"},
        {"reboot kexec_load kexec_file_load", CAP_SYS_BOOT, "SYS_BOOT"},
        {"init_module finit_module delete_module", CAP_SYS_MODULE, "SYS_MODULE"},
        {"settimeofday clock_settime adjtimex clock_adjtime", CAP_SYS_TIME, "SYS_TIME"},
        {"chown fchown lchown fchownat", CAP_CHOWN, "CHOWN"},
        {"setuid setreuid setresuid setfsuid", CAP_SETUID, "SETUID"},
        {"setgid setregid setresgid setfsgid setgroups", CAP_SETGID, "SETGID"},
        {"ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd", CAP_SYS_PTRACE,
         "SYS_PTRACE"},
        {"setpriority sched_setscheduler sched_setattr sched_setaffinity mbind migrate_pages "
         "move_pages",
         CAP_SYS_NICE, "SYS_NICE"},
        {"iopl ioperm", CAP_SYS_RAWIO, "SYS_RAWIO"},
        {"acct", CAP_SYS_PACCT, "SYS_PACCT"},
        {"syslog", CAP_SYSLOG, "SYSLOG"},
        {"vhangup", CAP_SYS_TTY_CONFIG, "SYS_TTY_CONFIG"},
        {"open_by_handle_at", CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH"},
        {"mlock mlock2 mlockall", CAP_IPC_LOCK, "IPC_LOCK"},
}};

bool names(std::string_view calls, std::string_view call) {
    const auto all = words_of(calls);
    return std::find(all.begin(), all.end(), call) != all.end();
}

// The line of a call in a filter's listing, behind its colon; "" when it has none.
std::string_view listed(std::string_view listing, std::string_view call) {
    for (auto rest = listing; !rest.empty();) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (line.starts_with(call) && line.substr(call.size()).starts_with(": "))
            return line.substr(call.size() + 2);
    }
    return {};
}

std::string_view default_action(std::string_view listing) {
    constexpr std::string_view kBegin = "# default ";
    const auto at = listing.find(kBegin);
    if (at == std::string_view::npos) return "unknown";
    listing.remove_prefix(at + kBegin.size());
    return listing.substr(0, listing.find(';'));
}

std::string errno_words(std::string_view action) {
    if (action.starts_with("errno(1)")) return "EPERM";
    if (action.starts_with("errno(38)")) return "ENOSYS";
    if (action.starts_with("errno(97)")) return "EAFNOSUPPORT";
    return std::string(action);
}

std::string remedy_for(const ExplainFacts& facts, std::string_view call) {
    if (facts.own_profile) return "add the call to the container's own seccomp profile";
    if (call == "clone3") return "none is needed: C libraries fall back to clone";
    if (facts.container_class == Class::unprivileged) {
        for (const auto& unlock : kUnlocks)
            if (names(unlock.calls, call)) return std::string(unlock.by);
    }
    return std::string(kOwnProfile);
}

std::optional<Explanation> of_filter(const std::string& call, const ExplainFacts& facts) {
    auto action = listed(facts.listing, call);
    if (action.empty()) action = default_action(facts.listing);
    if (action == "allow" || action == "log") return {};
    const std::string rule = facts.own_profile                               ? "SC-09"
                             : call == "clone3"                              ? "SC-04"
                             : action.find(" if ") != std::string_view::npos ? "6.3"
                             : facts.container_class == Class::unprivileged  ? "SC-05"
                                                                             : "6.6";
    if (action.find(" if ") != std::string_view::npos) {
        return Explanation{
                .layer = Layer::filter,
                .rule = rule,
                .because =
                        base::format("the filter looks at the arguments of {}: {}", call, action),
                .remedy = base::format("other arguments, or {}", remedy_for(facts, call))};
    }
    return Explanation{
            .layer = Layer::filter,
            .rule = rule,
            .because = base::format(
                    "the {} filter answers {} with {}",
                    facts.own_profile ? "container's own" : to_string(facts.container_class), call,
                    errno_words(action)),
            .remedy = remedy_for(facts, call)};
}

std::optional<Explanation> of_capability(const std::string& call, const ExplainFacts& facts) {
    for (const auto& need : kNeeds) {
        if (!names(need.calls, call)) continue;
        if ((facts.capabilities >> need.capability & 1) != 0) return {};
        return Explanation{
                .layer = Layer::capability,
                .rule = "CAP-01",
                .because = base::format(
                        "{} may need CAP_{}, which a process of this container cannot have", call,
                        need.name),
                .remedy = "a privileged class"};
    }
    return {};
}

Explanation answer(const CallQuestion& question, const ExplainFacts& facts) {
    if (auto found = of_filter(question.name, facts)) return *std::move(found);
    if (auto found = of_capability(question.name, facts)) return *std::move(found);
    if (names("clone fork vfork", question.name) && facts.pids_limit != 0 &&
        facts.pids >= facts.pids_limit) {
        return {.layer = Layer::rlimit,
                .rule = "DOS-01",
                .because = base::format(
                        "{} of {} processes and threads are there", facts.pids, facts.pids_limit),
                .remedy = "a higher limit of pids"};
    }
    return {.layer = Layer::none,
            .rule = {},
            .because =
                    base::format("neither the filter nor a capability refuses {}", question.name),
            .remedy = "ask about the path or device it works on"};
}

// `path` itself or anything below it.
const std::string* covering(const std::vector<std::string>& list, std::string_view path) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const std::string& entry) {
        return path.starts_with(entry) &&
               (path.size() == entry.size() || path[entry.size()] == '/');
    });
    return found == list.end() ? nullptr : &*found;
}

Explanation answer(const PathQuestion& question, const ExplainFacts& facts) {
    if (const auto* mask = covering(facts.masked, question.path)) {
        return {.layer = Layer::mask,
                .rule = "8.3",
                .because = base::format("{} is masked: it says or does too much", *mask),
                .remedy = "a privileged class has no masks"};
    }
    if (const auto* read_only = covering(facts.read_only, question.path)) {
        return {.layer = Layer::read_only,
                .rule = "8.3",
                .because = base::format("{} is read-only", *read_only),
                .remedy = "a privileged class, for most of these paths"};
    }
    if (question.host_owned) {
        return {.layer = Layer::user_namespace,
                .rule = "ID-01",
                .because = base::format(
                        "the owner of {} is no user of this container's id range", question.path),
                .remedy =
                        "change the owner on the host to the container's range, or make the file "
                        "in the container"};
    }
    return {.layer = Layer::none,
            .rule = {},
            .because = base::format("{} is neither masked nor read-only by us", question.path),
            .remedy = "look at its mode and owner in the container"};
}

Explanation answer(const DeviceQuestion& question, const ExplainFacts& facts) {
    const auto matches = [&](const DeviceRule& rule) {
        return (rule.type == 'a' || rule.type == question.type) &&
               rule.major.value_or(question.major) == question.major &&
               rule.minor.value_or(question.minor) == question.minor;
    };
    const auto name = base::format("{} {}:{}", question.type, question.major, question.minor);
    bool make_only = false;
    for (const auto& rule : facts.devices) {
        if (!matches(rule)) continue;
        if (rule.read || rule.write) {
            return {.layer = Layer::none,
                    .rule = {},
                    .because = base::format("device {} is allowed: {}", name, to_string(rule)),
                    .remedy = "look at the mode and owner of its node"};
        }
        make_only = true;
    }
    return {.layer = Layer::device,
            .rule = "DEV-02",
            .because = base::format(
                    "device {} {}", name,
                    make_only ? "may be made as a node, and not be opened"
                              : "is not in the list of allowed devices"),
            .remedy = "a privileged class; there is no device by device permission"};
}

}  // namespace

std::string_view to_string(Layer layer) {
    switch (layer) {
        case Layer::none:
            return "none";
        case Layer::filter:
            return "filter";
        case Layer::capability:
            return "capability";
        case Layer::mask:
            return "mask";
        case Layer::read_only:
            return "read-only";
        case Layer::device:
            return "device";
        case Layer::user_namespace:
            return "user namespace";
        case Layer::rlimit:
            return "limit";
    }
    return "";
}

Explanation explain(const Question& question, const ExplainFacts& facts) {
    return std::visit([&](const auto& asked) { return answer(asked, facts); }, question);
}

}  // namespace security
