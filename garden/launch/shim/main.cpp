// garden-shim: root outside the container, one per container. Started once by gardend, with
// descriptor 3 = its socket, 4 = the sealed garden-init, 5 = itself; this one is the nursery, and
// its clones are the shims.
#include "base/sys/raw.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/launch/nursery.hpp"
#include "garden/launch/shim/nursery.hpp"
#include "garden/launch/shim/shim.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <linux/keyctl.h>

#include <malloc.h>

namespace launch = garden::launch;

namespace {

constexpr int kGardend = 3;
constexpr int kProgram = 4;
constexpr int kOwnProgram = 5;

int shim(base::Fd socket) {
    (void)::prctl(PR_SET_NAME, "garden-shim");
    // PL-05: no link to the daemon's keyring, for us and for what we start. A kernel without
    // keyrings has none.
    (void)::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
    base::Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    base::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!epoll || !null) return 2;
    launch::ShimLoop loop(std::move(socket), base::Fd(kProgram), std::move(epoll), std::move(null));
    return loop.run();
}

}  // namespace

int main() {
    (void)::prctl(PR_SET_NAME, "garden-nursery");
    (void)::prctl(PR_SET_DUMPABLE, 0);  // PL-04
    for (const int number : {SIGPIPE, SIGHUP, SIGINT}) (void)::signal(number, SIG_IGN);
    // One small process per container: freed buffers go back to the kernel instead of waiting for
    // the next plan.
    (void)::mallopt(M_MMAP_THRESHOLD, 32 << 10);
    (void)::mallopt(M_TRIM_THRESHOLD, 16 << 10);
    (void)::mallopt(M_TOP_PAD, 4 << 10);
    (void)base::sys::raw::close_range(kOwnProgram, ~0U, 0);
    for (const int fd : {kGardend, kProgram}) {
        if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return 2;  // not started by gardend
    }
    base::Fd gardend(kGardend);
    const auto entered = launch::enter_small_view();
    const auto told = base::sys::send_message(
            gardend, entered ? launch::kNurseryReady : entered.error().text);
    if (!entered || !told) return 2;
    return shim(launch::nurse(std::move(gardend)));
}
