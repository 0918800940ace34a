// The first process of a container, from clone until it is garden-init.
#include "base/sys/raw.hpp"
#include "garden/launch/codec.hpp"
#include "garden/launch/protocol.hpp"
#include "garden/launch/shim/child.hpp"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>

namespace garden::launch {

void container_child(const Child& child, bool user_namespace, int program) {
    (void)::prctl(PR_SET_NAME, "shim:[prepared]");
    // Cleared by the changes of credentials below, and set again then: nothing outlives its shim.
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto frame = receive_frame(base::FdRef(child.channel()), true);
    if (!frame) ::_exit(0);  // the shim ended before a container was wanted
    (void)::prctl(PR_SET_NAME, "shim:[create]");
    auto plan = decode_container_plan(frame->body, frame->fds.size());
    if (!plan) child.die(Step::receive_plan, plan.error().text, EINVAL);
    (void)::umask(0);
    attach_cgroups(child, frame->fds, plan->cgroups);
    if (::unshare(CLONE_NEWCGROUP) != 0) child.die(Step::cgroup_namespace);
    become_root(child, user_namespace);
    if (plan->keyring) join_keyring(child);
    if (::sethostname(plan->hostname.data(), plan->hostname.size()) != 0)
        child.die(Step::hostname, plan->hostname);
    build_view(child, *plan, frame->fds);
    if (plan->lock_mounts) lock_view(child);
    (void)::umask(022);
    // 0-2 are the socket to the shim: its end tells garden-init that the shim is dead.
    for (int fd = 0; fd < 3; ++fd) {
        if (::dup2(child.channel(), fd) != fd) child.die(Step::stdio);
    }
    reset_signals();
    (void)::setsid();  // fails only if it leads one already
    enter_profile(child, plan->apparmor);
    confine(child, plan->init, {});
    close_inherited(child);
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    char name[] = "garden-init";
    char* const arguments[] = {name, nullptr};
    char* const environment[] = {nullptr};
    (void)::syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);  // PL-03
    child.die(Step::execute, "garden-init");
}

}  // namespace garden::launch
