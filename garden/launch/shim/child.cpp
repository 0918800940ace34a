#include "garden/launch/shim/child.hpp"

#include "base/sys/raw.hpp"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstring>

namespace garden::launch {

// NOLINTNEXTLINE(readability-function-size): a table
std::string_view to_string(Step step) {
    switch (step) {
        case Step::receive_plan:
            return "receive the plan";
        case Step::attach_cgroup:
            return "join the cgroup";
        case Step::cgroup_namespace:
            return "make the cgroup namespace";
        case Step::become_root:
            return "become root of the user namespace";
        case Step::keyring:
            return "join a session keyring";
        case Step::hostname:
            return "set the host name";
        case Step::propagation:
            return "make the mounts private";
        case Step::null_device:
            return "verify the host's null device";
        case Step::attach_root:
            return "attach the root file system";
        case Step::mount_target:
            return "find or make the mount target";
        case Step::mount:
            return "mount";
        case Step::mount_attributes:
            return "set the attributes of the mount";
        case Step::device:
            return "make the device node";
        case Step::link:
            return "make the link";
        case Step::pivot_root:
            return "change the root";
        case Step::sysctl:
            return "set";
        case Step::mask:
            return "mask";
        case Step::verify_mask:
            return "verify the mask of";
        case Step::read_only:
            return "make read-only";
        case Step::root_attributes:
            return "set the attributes of the root";
        case Step::detach_old_root:
            return "detach the old root";
        case Step::lock_mounts:
            return "lock the mounts";
        case Step::join_namespaces:
            return "join the container's namespaces";
        case Step::mount_namespace:
            return "make the mount namespace";
        case Step::session:
            return "start a session";
        case Step::terminal:
            return "make the terminal";
        case Step::working_directory:
            return "change to the working directory";
        case Step::stdio:
            return "set up standard input and output";
        case Step::rlimit:
            return "set the resource limit";
        case Step::bounding_set:
            return "drop from the bounding set";
        case Step::groups:
            return "set the supplementary groups";
        case Step::ids:
            return "change the user";
        case Step::capabilities:
            return "set the capabilities";
        case Step::apparmor:
            return "apply the AppArmor profile";
        case Step::no_new_privileges:
            return "set no_new_privs";
        case Step::seccomp:
            return "load the seccomp filter";
        case Step::close_descriptors:
            return "close inherited descriptors";
        case Step::execute:
            return "execute";
    }
    return "unknown step";
}

void Child::die(Step step, std::string_view detail, int error) const {
    Report report;
    report.step = step;
    report.error = error;
    const std::size_t size = std::min(detail.size(), sizeof report.detail - 1);
    std::memcpy(report.detail, detail.data(), size);
    (void)::send(channel_, &report, sizeof report, MSG_NOSIGNAL);  // a dead shim needs no report
    ::_exit(125);
}

void become_root(const Child& child, bool user_namespace) {
    if (::setgroups(0, nullptr) != 0) child.die(Step::groups);
    if (!user_namespace) return;
    if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) child.die(Step::become_root);
}

void join_keyring(const Child& child) {
    const long keyring = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
    // EDQUOT: the range's own quota of keyrings is used up; the shim's keyring, empty and not the
    // daemon's, stays. ENOSYS: a kernel without keyrings has none to leak.
    if (keyring < 0 && errno != EDQUOT && errno != ENOSYS) child.die(Step::keyring);
}

void attach_cgroups(
        const Child& child, const std::vector<base::Fd>& all, const std::vector<FdIndex>& wanted) {
    for (const auto index : wanted) {
        // "0" is the writer: a self-attach does not wait for an RCU grace period as another's pid
        // would.
        if (::write(all[static_cast<std::size_t>(index)].get(), "0", 1) != 1)
            child.die(Step::attach_cgroup);
    }
}

namespace {

void load_filter(const Child& child, const Confinement& confinement) {
    if (confinement.seccomp.empty()) return;
    std::vector<sock_filter> program(confinement.seccomp.size() / sizeof(sock_filter));
    std::memcpy(program.data(), confinement.seccomp.data(), confinement.seccomp.size());
    sock_fprog filter = {
            .len = static_cast<unsigned short>(program.size()), .filter = program.data()};
    const unsigned flags = confinement.seccomp_log ? SECCOMP_FILTER_FLAG_LOG : 0;  // SC-08
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter) != 0)
        child.die(Step::seccomp);
}

void drop_bounding(const Child& child, std::uint64_t keep) {
    for (unsigned capability = 0; capability < 64; ++capability) {
        if ((keep >> capability & 1) != 0) continue;
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
        if (errno == EINVAL) return;  // above the newest capability of this kernel
        child.die(Step::bounding_set, std::to_string(capability));
    }
}

void set_capabilities(const Child& child, const CapabilitySets& sets) {
    __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2] = {};
    for (unsigned i = 0; i < 2; ++i) {
        data[i].permitted = static_cast<std::uint32_t>(sets.permitted >> (32 * i));
        data[i].effective = static_cast<std::uint32_t>(sets.effective >> (32 * i));
        data[i].inheritable = static_cast<std::uint32_t>(sets.inheritable >> (32 * i));
    }
    if (::syscall(SYS_capset, &header, data) != 0) child.die(Step::capabilities);
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        child.die(Step::capabilities, "ambient");
    for (unsigned long capability = 0; capability < 64; ++capability) {
        if ((sets.ambient >> capability & 1) == 0) continue;
        if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
            child.die(Step::capabilities, "ambient");
    }
}

}  // namespace

void enter_profile(const Child& child, const std::string& profile) {
    if (profile.empty()) return;
    // Before Linux 5.8 there is only the second.
    for (const char* path :
         {"/proc/thread-self/attr/apparmor/exec", "/proc/thread-self/attr/exec"}) {
        const base::Fd file(::open(path, O_WRONLY | O_CLOEXEC));
        if (!file && errno == ENOENT) continue;
        struct statfs info = {};
        if (!file || ::fstatfs(file.get(), &info) != 0) child.die(Step::apparmor, profile);
        // CVE-2019-16884: what looks like procfs must be it, or nothing would be applied.
        if (info.f_type != PROC_SUPER_MAGIC) child.die(Step::apparmor, profile, EPERM);
        const std::string command = "exec " + profile;
        const auto size = static_cast<ssize_t>(command.size());
        if (::write(file.get(), command.data(), command.size()) != size)
            child.die(Step::apparmor, profile);
        return;
    }
    child.die(Step::apparmor, profile, ENOENT);
}

void confine(const Child& child, const Confinement& confinement, const Ids& ids) {
    for (const auto& limit : confinement.rlimits) {
        const rlimit64 value = {.rlim_cur = limit.soft, .rlim_max = limit.hard};
        if (::setrlimit64(static_cast<__rlimit_resource>(limit.resource), &value) != 0) {
            child.die(Step::rlimit, std::to_string(limit.resource));
        }
    }
    drop_bounding(child, confinement.capabilities.bounding);  // CAP-06
    // The change of user would empty the permitted set; the exact sets are written right after it.
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) child.die(Step::capabilities, "keep");
    // SC-07: without no_new_privs loading needs CAP_SYS_ADMIN, so it comes before the capabilities
    // fall.
    if (!confinement.no_new_privileges) load_filter(child, confinement);
    const std::vector<std::uint32_t> none;
    const auto& groups = ids.groups != nullptr ? *ids.groups : none;
    if (::setgroups(groups.size(), groups.data()) != 0) child.die(Step::groups);  // ID-09
    if (::setresgid(ids.gid, ids.gid, ids.gid) != 0)
        child.die(Step::ids, "gid " + std::to_string(ids.gid));
    if (::setresuid(ids.uid, ids.uid, ids.uid) != 0)
        child.die(Step::ids, "uid " + std::to_string(ids.uid));
    set_capabilities(child, confinement.capabilities);
    if (!confinement.no_new_privileges) return;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) child.die(Step::no_new_privileges);
    load_filter(child, confinement);
}

void reset_signals() {
    // CLONE_CLEAR_SIGHAND leaves ignored signals ignored.
    for (const int number : {SIGPIPE, SIGHUP, SIGINT}) (void)::signal(number, SIG_DFL);
    // What glibc needs for threads it ignores in every program that it spawns, us among them, and
    // its own functions do not touch them (PL-07).
    for (const int number : {32, 33}) (void)base::sys::raw::reset_signal(number);
    sigset_t none;
    (void)::sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void close_inherited(const Child& child) {
    if (base::sys::raw::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        child.die(Step::close_descriptors);
}

}  // namespace garden::launch
