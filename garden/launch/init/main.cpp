// garden-init: the first process of a container. It reaps orphans and ends with its shim; it does
// nothing else. Descriptors 0-2 are one socket to the shim. Freestanding, without a C library: the
// start of glibc asks the processor for its features, which a virtual machine's host must answer
// each time (0.5 ms measured), and its pages are memory in every container.
#include "garden/launch/init/calls.hpp"

#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signal.h>

namespace {

constexpr int kShim = 0;

// As the kernel's calls take it. SIG_IGN for SIGCHLD makes the kernel reap every child by itself.
struct KernelAction {
    unsigned long handler = 1;  // SIG_IGN
    unsigned long flags = 0;
    unsigned long restorer = 0;
    unsigned long mask = 0;
};

}  // namespace

extern "C" [[noreturn, gnu::used]] START_OF_PROGRAM void _start() {
    using calls::address;
    using calls::call;
    using calls::leave;
    static constexpr char kName[] = "garden-init";
    (void)call(__NR_prctl, PR_SET_NAME, address(kName));
    // The exec may have cleared it (a change of credentials does); the socket below covers the
    // moment in between.
    (void)call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
    // Pid 1 is not to be disturbed from inside.
    static constexpr unsigned long kAll = ~0UL;
    (void)call(__NR_rt_sigprocmask, SIG_BLOCK, address(&kAll), 0, sizeof kAll);
    const KernelAction ignore;
    (void)call(__NR_rt_sigaction, SIGCHLD, address(&ignore), 0, sizeof ignore.mask);

    // Ready; without a shim there is nothing to be done.
    if (call(__NR_write, kShim, address("r"), 1) != 1) leave(1);
    for (;;) {
        pollfd shim = {.fd = kShim, .events = 0, .revents = 0};
        if (call(__NR_ppoll, address(&shim), 1, 0, 0, 0) > 0 &&
            (shim.revents & (POLLHUP | POLLERR)) != 0) {
            leave(1);
        }
    }
}
