// Stop: TERM to everything but garden-init, once a second for ten seconds, then KILL
// (garden-api 10.5).
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/pidfd.hpp"
#include "garden/engine/gardener.hpp"

#include <signal.h>

#include <algorithm>

namespace garden {

namespace {

constexpr std::chrono::seconds kTermTime{10};
constexpr std::chrono::seconds kRepeat{1};
constexpr std::chrono::milliseconds kLook{20};

// Pids are reused: a process is signalled through a descriptor, and only when its pid is still in
// the group after the descriptor was opened. False: nobody was there.
base::Result<bool> signal_all(cgroup::Group& group, std::int32_t init_pid, int number) {
    std::vector<std::pair<std::int32_t, base::Fd>> targets;
    for (const auto pid : TRY(group.processes())) {
        if (pid == init_pid) continue;
        auto fd = base::sys::open_process(pid);
        if (fd) targets.emplace_back(pid, std::move(*fd));
    }
    if (targets.empty()) return false;
    auto members = TRY(group.processes());
    std::sort(members.begin(), members.end());
    for (const auto& [pid, fd] : targets) {
        if (std::binary_search(members.begin(), members.end(), pid))
            (void)base::sys::signal_process(fd, number);
    }
    return true;
}

// True when only garden-init is left; false after `limit`.
base::Result<bool> wait_alone(
        cgroup::Group& group, std::int32_t init_pid, std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        const auto members = TRY(group.processes());
        if (std::all_of(members.begin(), members.end(), [&](auto pid) { return pid == init_pid; }))
            return true;
        if (std::chrono::steady_clock::now() >= deadline) return false;
        // The kernel has no notice for "all but one have left".
        base::pause_for(kLook);
    }
}

}  // namespace

base::Result<void> Gardener::stop(const Handle& handle, bool kill) {
    auto container = TRY(living(handle));
    const auto init = container->init_pid;
    auto& group = *container->group;
    const auto rounds = [&](int number) -> base::Result<bool> {
        const auto deadline = std::chrono::steady_clock::now() + kTermTime;
        while (std::chrono::steady_clock::now() < deadline) {
            {
                // Groups go by name: after a destroy that name may be another container's.
                const std::lock_guard lock(container->mutex);
                if (container->destroying)
                    return base::fail(base::Errc::conflict, "container already being destroyed");
            }
            if (!TRY(signal_all(group, init, number))) return true;
            if (TRY(wait_alone(group, init, kRepeat))) return true;
        }
        return false;
    };
    bool alone = false;
    if (!kill) alone = TRY(rounds(SIGTERM));
    if (!alone) alone = TRY(rounds(SIGKILL));
    const std::lock_guard lock(container->mutex);
    container->record.stopped = true;
    TRY(Depot::save(container->bundle, container->record));
    if (!alone) {
        return base::fail(
                base::Errc::timeout,
                "a process of container {} cannot be killed (uninterruptible sleep)", handle.get());
    }
    return base::ok;
}

}  // namespace garden
