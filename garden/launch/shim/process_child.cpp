// A process of a container, from clone until exec: it joins, takes its identity, and falls to the
// class of the container.
#include "base/sys/raw.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/launch/shim/child.hpp"
#include "garden/launch/shim/paths.hpp"

#include <errno.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <array>
#include <climits>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace garden::launch {

namespace raw = base::sys::raw;

namespace {

// A pea leaves out what it makes anew: until then it is in the shim's mount namespace, which is
// empty but for what new views are made from.
void join(const Child& child, const ProcessArguments& arguments) {
    const auto& pea = arguments.plan.pea;
    int flags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    if (!pea) flags |= CLONE_NEWNS;
    if (!pea || !pea->own_cgroup_namespace) flags |= CLONE_NEWCGROUP;
    if (arguments.user_namespace)
        flags |= CLONE_NEWUSER;  // the kernel joins it before the others (PL-04)
    if (arguments.time_namespace) flags |= CLONE_NEWTIME;
    if (::setns(arguments.init, flags) != 0) child.die(Step::join_namespaces);
}

// PL-13: as root of the container's user namespace, so that the new namespaces belong to it.
// Nothing inside can look at this process before it executes (PL-04): its view is complete by then.
void make_pea_view(const Child& child, const ProcessArguments& arguments) {
    const auto& pea = *arguments.plan.pea;
    const int flags = CLONE_NEWNS | (pea.own_cgroup_namespace ? CLONE_NEWCGROUP : 0);
    if (::unshare(flags) != 0) child.die(Step::mount_namespace);
    build_view(child, pea.view, arguments.fds);
    if (arguments.lock_mounts) lock_view(child);
}

// PL-08, MD-05: from the container's own devpts instance, which must be one, and the slave by
// descriptor.
int open_terminal(const Child& child, const ProcessPlan& plan) {
    const base::Fd master(raw::openat2(
            AT_FDCWD, "/dev/pts/ptmx", O_RDWR | O_NOCTTY,
            RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
    struct statfs info = {};
    if (!master || ::fstatfs(master.get(), &info) != 0) child.die(Step::terminal, "/dev/pts/ptmx");
    if (info.f_type != DEVPTS_SUPER_MAGIC)
        child.die(Step::terminal, "/dev/pts is not a devpts", EPERM);
    const int unlocked = 0;
    if (::ioctl(master.get(), TIOCSPTLCK, &unlocked) != 0) child.die(Step::terminal, "unlock");
    const int slave = ::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) child.die(Step::terminal, "open the slave");
    constexpr auto kKeep = static_cast<gid_t>(-1);  // the mount's gid option chose the group
    if (::fchown(slave, plan.uid, kKeep) != 0) child.die(Step::terminal, "change the owner");
    const winsize size = {
            .ws_row = plan.rows, .ws_col = plan.columns, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::ioctl(slave, TIOCSWINSZ, &size) != 0) child.die(Step::terminal, "set the size");
    const std::array<base::FdRef, 1> fds{master};
    if (!base::sys::send_message(base::FdRef(child.channel()), "t", fds))
        child.die(Step::terminal, "send");
    if (::ioctl(slave, TIOCSCTTY, 0) != 0) child.die(Step::terminal, "take control");
    return slave;
}

void set_stdio(const Child& child, const ProcessArguments& arguments) {
    if (::setsid() < 0) child.die(Step::session);
    std::array<int, 3> sources{arguments.stdio[0], arguments.stdio[1], arguments.stdio[2]};
    if (arguments.plan.stdio == Stdio::terminal) sources.fill(open_terminal(child, arguments.plan));
    // No source is below 3: the shim's own 0-2 are the null device.
    for (int fd = 0; fd < 3; ++fd) {
        const int source = sources[static_cast<std::size_t>(fd)];
        if (source >= 0 && ::dup2(source, fd) != fd) child.die(Step::stdio);
    }
}

// garden-api 10.3: made when missing, with root's power and the user's ownership; links stay inside
// the root.
void enter_directory(const Child& child, const ProcessPlan& plan) {
    const base::Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) child.die(Step::working_directory, "/");
    base::Fd directory =
            plan.create_cwd
                    ? find_or_make(
                              root.get(), plan.cwd,
                              {.follow = true, .own = true, .uid = plan.uid, .gid = plan.gid})
                    : base::Fd(raw::openat2(
                              root.get(), plan.cwd.c_str(), O_PATH | O_DIRECTORY, kFollowInRoot));
    if (!directory || ::fchdir(directory.get()) != 0) child.die(Step::working_directory, plan.cwd);
    // PL-02: a directory outside the root would show as "(unreachable)".
    char path[PATH_MAX];
    if (::syscall(SYS_getcwd, path, sizeof path) < 0 || path[0] != '/') {
        child.die(Step::working_directory, plan.cwd, EPERM);
    }
}

std::vector<char*> pointers(const std::vector<std::string>& list) {
    std::vector<char*> out;
    out.reserve(list.size() + 1);
    for (const auto& text : list) out.push_back(const_cast<char*>(text.c_str()));
    out.push_back(nullptr);
    return out;
}

}  // namespace

void process_child(const Child& child, const ProcessArguments& arguments) {
    const auto& plan = arguments.plan;
    (void)::prctl(PR_SET_DUMPABLE, 0);  // PL-04: nobody inside may look at the shim's memory
    reset_signals();
    (void)::umask(0);
    if (plan.cgroups.empty()) {
        for (const auto& cgroup : arguments.cgroups) {
            if (::write(cgroup.get(), "0", 1) != 1) child.die(Step::attach_cgroup);
        }
    } else {
        attach_cgroups(child, arguments.fds, plan.cgroups);
    }
    join(child, arguments);
    become_root(child, arguments.user_namespace);
    join_keyring(child);
    if (plan.pea) make_pea_view(child, arguments);
    set_stdio(child, arguments);
    enter_directory(child, plan);
    (void)::umask(plan.umask & 0777);
    const auto argv = pointers(plan.argv);
    const auto env = pointers(plan.env);
    enter_profile(child, arguments.apparmor);
    confine(child, plan.confinement, {.uid = plan.uid, .gid = plan.gid, .groups = &plan.groups});
    close_inherited(child);
    if (plan.exec != kNoFd) {  // PL-03
        const int program = arguments.fds[static_cast<std::size_t>(plan.exec)].get();
        (void)::syscall(SYS_execveat, program, "", argv.data(), env.data(), AT_EMPTY_PATH);
        child.die(Step::execute, plan.argv.front());
    }
    int error = ENOENT;
    for (const auto& candidate : plan.candidates) {
        (void)::execve(candidate.c_str(), argv.data(), env.data());
        // A directory of PATH that is missing or forbidden does not end the search; a program that
        // fails does.
        if (errno == EACCES) error = EACCES;
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            child.die(Step::execute, candidate);
    }
    child.die(Step::execute, plan.argv.front(), error);
}

}  // namespace garden::launch
