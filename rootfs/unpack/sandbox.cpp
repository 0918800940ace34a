#include "rootfs/unpack/sandbox.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/mount.hpp"
#include "base/sys/seqpacket.hpp"
#include "rootfs/unpack/confine.hpp"
#include "rootfs/unpack/protocol.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sched.h>

#include <array>
#include <string>

namespace rootfs {

using base::Errc;
using base::Fd;
using base::FdRef;
using base::Result;
namespace sys = base::sys;

namespace {

constexpr int kFirstOtherFd = kTargetFd + 1;

// The parent half: ids for the child's user namespace, and the target mapped to them.
Result<void> give_view(pid_t child, FdRef target, FdRef socket) {
    const std::string proc = "/proc/" + std::to_string(child);
    const std::string map = base::format("0 {} {}", kSandboxIdBase, kSandboxIds);
    for (const char* file : {"/uid_map", "/gid_map"}) {
        Fd opened = TRY(sys::open_host(proc + file, O_WRONLY));
        TRY(sys::write_all(opened, map).context(file));
    }
    Fd user_namespace = TRY(sys::open_host(proc + "/ns/user", O_RDONLY));
    Fd view = TRY(sys::clone_tree(target, "", false));
    TRY(sys::idmap_mount(view, user_namespace, false));
    // Where systemd shares all mounts the clone is a peer of the host's, and no such mount can
    // become a root.
    TRY(sys::set_mount_private(view));
    const std::array<FdRef, 1> fds{view};
    return sys::send_message(socket, "view", fds);
}

// The child half: from the host's file systems to the view alone.
Result<Fd> enter_view(FdRef socket) {
    auto message = TRY(sys::receive_message(socket, 16));
    if (message.fds.size() != 1) return base::fail(Errc::internal, "no view of the target");
    const Fd view = std::move(message.fds.front());
    if (::setgroups(0, nullptr) != 0 || ::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) {
        return base::fail_errno("become root of the sandbox");
    }
    // After the ids: changing them forgets it. The pipe to the store would end us, too, but later.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return base::fail_errno("die with the parent");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return base::fail_errno("make mounts private");
    TRY(sys::attach_mount(view, FdRef{AT_FDCWD}, "/"));
    if (::fchdir(view.get()) != 0) return base::fail_errno("enter the view");
    if (::syscall(SYS_pivot_root, ".", ".") != 0) return base::fail_errno("make the view the root");
    if (::umount2(".", MNT_DETACH) != 0) return base::fail_errno("let go of the host's root");
    if (::chdir("/") != 0) return base::fail_errno("enter the root");
    return sys::open_at(FdRef{AT_FDCWD}, "/", O_PATH | O_DIRECTORY);
}

[[noreturn]] void run_child(
        Fd socket, const SandboxLimits& limits, const std::function<int(FdRef root)>& body) {
    auto root = enter_view(socket);
    Result<void> confined = root ? Result<void>(base::ok) : Result<void>(root.error());
    if (confined) {
        socket.reset();
        (void)::close(kTargetFd);  // the same directory without the mapping
        Fd kept(::fcntl(root->get(), F_DUPFD_CLOEXEC, kFirstOtherFd));
        *root = Fd();
        // The root must lie below everything that is closed now.
        if (kept && ::dup3(kept.get(), kTargetFd, O_CLOEXEC) == kTargetFd &&
            ::close_range(kFirstOtherFd, ~0U, 0) == 0) {
            (void)kept.release();
            confined = confine(FdRef{kTargetFd}, limits);
        } else {
            confined = base::fail_errno("close descriptors");
        }
    }
    if (!confined) {
        const auto& error = confined.error();
        const auto frame = encode_frame(
                FrameType::failed,
                base::format("{} sandbox: {}", static_cast<int>(error.kind), error.text));
        (void)sys::write_all(
                FdRef{kResultFd}, frame);  // the store sees the end of the pipe otherwise
        ::_exit(1);
    }
    ::_exit(body(FdRef{kTargetFd}));
}

}  // namespace

Result<int> run_in_sandbox(
        FdRef target, const SandboxLimits& limits, const std::function<int(FdRef root)>& body) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return base::fail_errno("die with the daemon");
    auto sockets = TRY(sys::seqpacket_pair());
    clone_args arguments = {};
    arguments.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                      CLONE_NEWUTS | CLONE_NEWCGROUP;
    arguments.exit_signal = SIGCHLD;
    const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    if (child < 0) return base::fail_errno("clone the sandbox");
    if (child == 0) {
        sockets.first.reset();
        run_child(std::move(sockets.second), limits, body);
    }
    sockets.second.reset();
    auto given = give_view(child, target, sockets.first);
    if (!given) (void)::kill(child, SIGKILL);  // our unreaped child
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return base::fail_errno("wait for the sandbox");
    }
    TRY(std::move(given));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace rootfs
