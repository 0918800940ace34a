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

// The kernel asks its own user namespace about these: root of another one never has the right.
constexpr std::string_view kOfHost =
        "mknod mknodat syslog adjtimex clock_adjtime settimeofday clock_settime vhangup acct "
        "swapon swapoff iopl ioperm init_module finit_module delete_module kexec_load "
        "kexec_file_load";

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

// The errors in an action of a listing, which may have several with conditions.
std::string errors_of(std::string_view action) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kErrors = {
            {{"errno(1)", "EPERM"}, {"errno(38)", "ENOSYS"}, {"errno(97)", "EAFNOSUPPORT"}}};
    std::string words;
    for (const auto& [text, word] : kErrors) {
        if (action.find(text) == std::string_view::npos) continue;
        words += (words.empty() ? "" : " or ") + std::string(word);
    }
    return words.empty() ? std::string(action) : words;
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
                .remedy = base::format("other arguments, or {}", remedy_for(facts, call)),
                .seen_as = errors_of(action)};
    }
    return Explanation{
            .layer = Layer::filter,
            .rule = rule,
            .because = base::format(
                    "the {} filter answers {} with {}",
                    facts.own_profile ? "container's own" : to_string(facts.container_class), call,
                    errors_of(action)),
            .remedy = remedy_for(facts, call),
            .seen_as = errors_of(action)};
}

Explanation lacking(const std::string& call, const Need& need, const ExplainFacts& facts) {
    const bool possible = (facts.capabilities >> need.capability & 1) != 0;
    return {.layer = Layer::capability,
            .rule = possible ? "CAP-03" : "CAP-01",
            .because = base::format(
                    "{} may need CAP_{}, which {}", call, need.name,
                    possible ? "this process does not have"
                             : "a process of this container cannot have"),
            .remedy = possible ? "run it as root of the container"
                      : facts.container_class == Class::privileged
                              ? "none: privileged containers have it as little"
                              : "a privileged class",
            .seen_as = "EPERM"};
}

std::optional<Explanation> of_capability(const std::string& call, const ExplainFacts& facts) {
    for (const auto& need : kNeeds) {
        if (!names(need.calls, call)) continue;
        const auto has = facts.effective.value_or(facts.capabilities) & facts.capabilities;
        if ((has >> need.capability & 1) == 0) return lacking(call, need, facts);
        if (!facts.user_namespace || !names(kOfHost, call)) return {};
        return Explanation{
                .layer = Layer::user_namespace,
                .rule = call.starts_with("mknod") ? "DEV-01" : "ID-01",
                .because = base::format(
                        "CAP_{} of this container is of its own user namespace; for {}, the "
                        "kernel asks the host's",
                        need.name,
                        call.starts_with("mknod") ? "device nodes" : std::string_view(call)),
                .remedy = "the class privileged, which has no user namespace",
                .seen_as = "EPERM"};
    }
    return {};
}

std::optional<Explanation> of_limit(const std::string& call, const ExplainFacts& facts) {
    const bool full = facts.pids_limit != 0 && facts.pids >= facts.pids_limit;
    if (!full || !names("clone clone3 fork vfork", call)) return {};
    return Explanation{
            .layer = Layer::rlimit,
            .rule = "DOS-01",
            .because = base::format(
                    "{} of {} processes and threads are there", facts.pids, facts.pids_limit),
            .remedy = "a higher limit of pids",
            .seen_as = "EAGAIN"};
}

Explanation answer(const CallQuestion& question, const ExplainFacts& facts) {
    if (auto found = of_limit(question.name, facts)) return *std::move(found);
    if (auto found = of_filter(question.name, facts)) return *std::move(found);
    if (auto found = of_capability(question.name, facts)) return *std::move(found);
    return {.layer = Layer::none,
            .rule = {},
            .because =
                    base::format("neither the filter nor a capability refuses {}", question.name),
            .remedy = "ask about the path or device it works on",
            .seen_as = {}};
}

// `path` itself or anything below it.
const std::string* covering(const std::vector<std::string>& list, std::string_view path) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const std::string& entry) {
        return path.starts_with(entry) &&
               (path.size() == entry.size() || path[entry.size()] == '/');
    });
    return found == list.end() ? nullptr : &*found;
}

// What a path is on: of the mounts above it the deepest, of two at one place the later.
const MountFact* mount_of(const ExplainFacts& facts, std::string_view path) {
    const MountFact* found = nullptr;
    for (const auto& mount : facts.mounts) {
        const std::string_view target = mount.target;
        const bool covers =
                path.starts_with(target) &&
                (target == "/" || path.size() == target.size() || path[target.size()] == '/');
        if (covers && (found == nullptr || target.size() >= found->target.size())) found = &mount;
    }
    return found;
}

std::optional<Explanation> of_mounts(const std::string& path, const ExplainFacts& facts) {
    Explanation found{
            .layer = Layer::read_only,
            .rule = "8.3",
            .because = {},
            .remedy = {},
            .seen_as = "EROFS"};
    if (const auto* read_only = covering(facts.read_only, path)) {
        found.because = base::format("{} is read-only", *read_only);
        found.remedy = facts.container_class == Class::privileged
                               ? "none: one write there ends or owns the host"
                               : "a privileged class, for most of these paths";
        return found;
    }
    const auto* mount = mount_of(facts, path);
    if (mount == nullptr || !mount->read_only) return {};
    found.rule = mount->bind ? "CL-03" : "8.2";
    found.because = mount->target + (mount->bind ? " is a bind mount that was asked for read-only"
                                                 : " is mounted read-only in every container");
    found.remedy = mount->bind ? "a bind mount with mode 1 (read-write), at create" : "none";
    return found;
}

Explanation answer(const PathQuestion& question, const ExplainFacts& facts) {
    if (const auto* mask = covering(facts.masked, question.path)) {
        return {.layer = Layer::mask,
                .rule = "8.3",
                .because = base::format("{} is masked: it says or does too much", *mask),
                .remedy = "a privileged class has no masks",
                .seen_as = "an empty file, or an empty directory"};
    }
    if (question.access != PathQuestion::Access::read)
        if (auto found = of_mounts(question.path, facts)) return *std::move(found);
    if (question.host_owned) {
        return {.layer = Layer::user_namespace,
                .rule = "ID-01",
                .because = base::format(
                        "the owner of {} is no user of this container's id range", question.path),
                .remedy =
                        "change the owner on the host to the container's range, or make the file "
                        "in the container",
                .seen_as = "EACCES"};
    }
    return {.layer = Layer::none,
            .rule = {},
            .because = base::format(
                    "{} is {} by us", question.path,
                    question.access == PathQuestion::Access::read ? "not masked"
                                                                  : "neither masked nor read-only"),
            .remedy = "look at its mode and owner in the container",
            .seen_as = {}};
}

Explanation refused_device(const std::string& name, bool makeable) {
    return {.layer = Layer::device,
            .rule = "DEV-02",
            .because = base::format(
                    "device {} {}", name,
                    makeable ? "may be made as a node, and not be opened"
                             : "is not in the list of allowed devices"),
            .remedy =
                    "a privileged class, for fuse and net/tun; other devices are the operator's "
                    "to allow",
            .seen_as = "EPERM"};
}

Explanation answer(const DeviceQuestion& question, const ExplainFacts& facts) {
    const auto matches = [&](const DeviceRule& rule) {
        return (rule.type == 'a' || rule.type == question.type) &&
               rule.major.value_or(question.major) == question.major &&
               rule.minor.value_or(question.minor) == question.minor;
    };
    const auto name = base::format("{} {}:{}", question.type, question.major, question.minor);
    const bool any = !question.read && !question.write && !question.make;
    bool makeable = false;
    for (const auto& rule : facts.devices) {
        if (!matches(rule)) continue;
        makeable = makeable || rule.make;
        const bool enough = any ? rule.read || rule.write
                                : (!question.read || rule.read) &&
                                            (!question.write || rule.write) &&
                                            (!question.make || rule.make);
        if (!enough) continue;
        if (question.make && facts.user_namespace) {
            return {.layer = Layer::user_namespace,
                    .rule = "DEV-01",
                    .because = "the kernel makes no device nodes in a user namespace",
                    .remedy = "the nodes that are in /dev, or the class privileged",
                    .seen_as = "EPERM"};
        }
        return {.layer = Layer::none,
                .rule = {},
                .because = base::format("device {} is allowed: {}", name, to_string(rule)),
                .remedy =
                        "look at the mode and owner of its node, which must be below /dev: every "
                        "other mount is nodev (EACCES)",
                .seen_as = {}};
    }
    return refused_device(name, makeable);
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
