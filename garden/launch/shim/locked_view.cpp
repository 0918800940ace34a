// FS-12 for containers that may mount. A mount made in a namespace of the container's own user
// namespace can be taken off by whoever is root there. The kernel locks mounts to each other only
// where a mount namespace is copied for another user namespace than its owner's. So a finished view
// is copied twice, for the host's and back for the container's, by a process that does nothing
// else: only the host's side can make the copy in the middle.
#include "base/sys/error.hpp"
#include "base/sys/file.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/launch/shim/child.hpp"
#include "garden/launch/shim/process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstring>
#include <span>

namespace garden::launch {

namespace sys = base::sys;

namespace {

constexpr std::string_view kCopied = "c";

// Holds host privilege inside of the container's view: it opens and looks up nothing there, and
// nobody inside may look at it (PL-04).
[[noreturn]] void copy_twice(const Child& child, int builder) {
    (void)::prctl(PR_SET_DUMPABLE, 0);
    (void)::prctl(PR_SET_NAME, "shim:[lock]");
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::setns(builder, CLONE_NEWNS) != 0) child.die(Step::lock_mounts, "(join)");
    if (::unshare(CLONE_NEWNS) != 0) child.die(Step::lock_mounts, "(copy for the host)");
    if (::setns(builder, CLONE_NEWUSER) != 0) child.die(Step::lock_mounts, "(join the owner)");
    become_root(child, true);
    if (::unshare(CLONE_NEWNS) != 0) child.die(Step::lock_mounts, "(copy for the container)");
    const base::FdRef channel(child.channel());
    if (!sys::send_message(channel, kCopied)) ::_exit(125);
    // The copy lives in this process until the shim has opened it and closes the channel.
    (void)sys::receive_message(channel, 1, true);
    ::_exit(0);
}

void reap(base::FdRef pidfd) {
    siginfo_t info = {};
    (void)::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd.get()), &info, WEXITED);
}

Report lost(std::string_view detail, int error) {
    Report report{.step = Step::lock_mounts, .error = error};
    std::memcpy(report.detail, detail.data(), std::min(detail.size(), sizeof report.detail - 1));
    return report;
}

std::string_view bytes_of(const Report& report) {
    return {reinterpret_cast<const char*>(&report), sizeof report};
}

// The namespace that the copier holds, or its report.
base::Fd open_copy(const Cloned& copier, Report& report) {
    auto message = sys::receive_message(copier.channel, sizeof report, true);
    if (!message) {
        report = lost("(no word)", message.error().sys);
        return {};
    }
    if (message->data.size() == sizeof report) {
        std::memcpy(&report, message->data.data(), sizeof report);
        return {};
    }
    // Our own unreaped child in the host's procfs, which no container can influence.
    auto opened = sys::open_host("/proc/" + std::to_string(copier.pid) + "/ns/mnt", O_RDONLY);
    if (opened) return std::move(*opened);
    report = lost("(open the copy)", opened.error().sys);
    return {};
}

}  // namespace

void lock_view(const Child& child) {
    const base::FdRef channel(child.channel());
    if (!sys::send_message(channel, kViewBuilt)) child.die(Step::lock_mounts);
    auto answer = sys::receive_message(channel, sizeof(Report), true);
    if (!answer) child.die(Step::lock_mounts, "(no answer)", answer.error().sys);
    if (answer->fds.size() != 1) {
        Report report;
        if (answer->data.size() == sizeof report)
            std::memcpy(&report, answer->data.data(), sizeof report);
        child.die(Step::lock_mounts, report.detail, report.error);
    }
    // Root and working directory become the copy's as well.
    if (::setns(answer->fds.front().get(), CLONE_NEWNS) != 0)
        child.die(Step::lock_mounts, "(enter the copy)");
}

void answer_built_view(base::FdRef channel, base::FdRef builder) {
    Report report;
    base::Fd copy;
    auto copier = clone_child();
    if (copier) {
        if (copier->pid == 0) copy_twice(Child(copier->channel.get()), builder.get());
        copy = open_copy(*copier, report);
        copier->channel.reset();
        reap(copier->pidfd);
    } else {
        report = lost("(clone)", copier.error().sys);
    }
    // A builder that has ended reads no answer, and its end is reported in its own way.
    if (copy) {
        const base::FdRef fds[] = {copy};
        (void)sys::send_message(channel, kViewBuilt, fds);
    } else {
        (void)sys::send_message(channel, bytes_of(report));
    }
}

}  // namespace garden::launch
