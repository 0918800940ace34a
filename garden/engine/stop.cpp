// Stop: TERM to everything but garden-init, once a second for ten seconds, then KILL
// (garden-api 10.5).
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/pidfd.hpp"
#include "garden/engine/gardener.hpp"

#include <signal.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace garden {

namespace {

constexpr std::chrono::seconds kTermTime{10};
constexpr std::chrono::seconds kRepeat{1};
constexpr std::chrono::milliseconds kLook{20};

// The container's group and those beside it: of its peas with limits of their own.
using Groups = std::vector<std::shared_ptr<cgroup::Group>>;

Groups groups_of(const Container& container) {
    Groups groups{container.group};
    for (auto& pea : container.peas.all()) {
        if (pea.record.beside && pea.group) groups.push_back(std::move(pea.group));
    }
    return groups;
}

// Everything but garden-init, sorted.
base::Result<std::vector<std::int32_t>> members_of(const Groups& groups, std::int32_t init_pid) {
    std::vector<std::int32_t> all;
    for (const auto& group : groups) {
        auto members = group->processes();
        // A pea that has ended takes its group along; its name is never another's.
        if (!members && group != groups.front() && members.error().kind == base::Errc::not_found)
            continue;
        if (!members) return std::move(members).error();
        all.insert(all.end(), members->begin(), members->end());
    }
    all.erase(std::remove(all.begin(), all.end(), init_pid), all.end());
    std::sort(all.begin(), all.end());
    return all;
}

// Pids are reused: a process is signalled through a descriptor, and only when its pid is still in
// a group after the descriptor was opened. False: nobody was there.
base::Result<bool> signal_all(const Container& container, std::int32_t init_pid, int number) {
    const auto groups = groups_of(container);
    std::vector<std::pair<std::int32_t, base::Fd>> targets;
    for (const auto pid : TRY(members_of(groups, init_pid))) {
        auto fd = base::sys::open_process(pid);
        if (fd) targets.emplace_back(pid, std::move(*fd));
    }
    if (targets.empty()) return false;
    const auto members = TRY(members_of(groups, init_pid));
    for (const auto& [pid, fd] : targets) {
        if (std::binary_search(members.begin(), members.end(), pid))
            (void)base::sys::signal_process(fd, number);
    }
    return true;
}

// True when only garden-init is left; false after `limit`.
base::Result<bool> wait_alone(
        const Container& container, std::int32_t init_pid, std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        const auto members = TRY(members_of(groups_of(container), init_pid));
        if (members.empty()) return true;
        if (std::chrono::steady_clock::now() >= deadline) return false;
        // The kernel has no notice for "all but one have left".
        base::pause_for(kLook);
    }
}

}  // namespace

base::Result<void> Gardener::stop(const Handle& handle, bool kill) {
    auto container = TRY(living(handle));
    const auto init = container->init_pid;
    const auto rounds = [&](int number) -> base::Result<bool> {
        const auto deadline = std::chrono::steady_clock::now() + kTermTime;
        while (std::chrono::steady_clock::now() < deadline) {
            {
                // Groups go by name: after a destroy that name may be another container's.
                const std::lock_guard lock(container->mutex);
                if (container->destroying)
                    return base::fail(base::Errc::conflict, "container already being destroyed");
            }
            if (!TRY(signal_all(*container, init, number))) return true;
            if (TRY(wait_alone(*container, init, kRepeat))) return true;
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
