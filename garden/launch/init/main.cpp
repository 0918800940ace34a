// garden-init: the first process of a container. It reaps orphans and ends with its shim; it does
// nothing else. Descriptors 0-2 are one socket to the shim. No library beyond libc, no allocation.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void wake(int) {}  // only interrupts ppoll

}  // namespace

int main() {
    (void)::prctl(PR_SET_NAME, "garden-init");
    // The exec may have cleared it (a change of credentials does); the socket below covers the
    // moment in between.
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);

    sigset_t blocked;
    sigset_t none;
    (void)::sigemptyset(&none);
    (void)::sigfillset(&blocked);
    (void)::sigprocmask(SIG_SETMASK, &blocked, nullptr);
    struct sigaction action = {};
    action.sa_handler = wake;
    action.sa_flags = SA_NOCLDSTOP;
    (void)::sigaction(SIGCHLD, &action, nullptr);
    // Everything but SIGCHLD stays blocked: pid 1 is not to be disturbed from inside.
    (void)::sigfillset(&none);
    (void)::sigdelset(&none, SIGCHLD);

    if (::write(STDIN_FILENO, "r", 1) != 1)
        return 1;  // ready; without a shim there is nothing to be done
    for (;;) {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        pollfd shim = {.fd = STDIN_FILENO, .events = 0, .revents = 0};
        if (::ppoll(&shim, 1, nullptr, &none) > 0 && (shim.revents & (POLLHUP | POLLERR)) != 0)
            return 1;
    }
}
