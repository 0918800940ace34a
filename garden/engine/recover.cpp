// After a restart: the depot and the shims are the truth. What lives is adopted, what was half-made
// or half-destroyed is taken down, what has no owner is swept (design 3.5).
#include "base/fail.hpp"
#include "base/sys/pidfd.hpp"
#include "garden/engine/gardener.hpp"

#include <algorithm>
#include <set>
#include <thread>

namespace garden {

namespace {

// Adopting waits for shims, so a slow one holds a thread and not the others.
constexpr std::size_t kThreads = 16;
// For the first answer of a shim; who is later is asked again behind (Latecomers).
constexpr std::chrono::seconds kFirstAnswer{2};

// What can only mean that the thing is not there, as against an error of ours (no descriptors, no
// memory), after which nothing may be taken for dead.
bool means_gone(const base::Error& error) {
    return error.kind == base::Errc::not_found || error.sys == ENOTDIR;
}

}  // namespace

struct Gardener::Recovery {
    std::vector<Handle> handles;
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::vector<ContainerPtr> doomed;
    base::Result<void> failed;
};

base::Result<void> Gardener::recover() {
    TRY(parts_.images->recover());
    Recovery recovery;
    recovery.handles = TRY(parts_.depot.list());
    const auto work = [&] {
        for (;;) {
            const auto i = recovery.next++;
            if (i >= recovery.handles.size()) return;
            const auto& handle = recovery.handles[i];
            auto adopted = adopt(handle, recovery);
            const std::lock_guard lock(recovery.mutex);
            if (!adopted && recovery.failed)
                recovery.failed = std::move(adopted).context("adopt container " + handle.get());
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < std::min(kThreads, recovery.handles.size()); ++i)
        threads.emplace_back(work);
    work();
    for (auto& thread : threads) thread.join();
    // Better no gardend than one that takes the living for dead: the service manager tries again.
    TRY(std::move(recovery.failed));
    // Every adopted address is known before the first new one is handed out, so the doomed can go
    // in any order.
    for (const auto& container : recovery.doomed) {
        registry_.adopt(container);
        container->ready = true;
        if (take_down(*container)) {
            registry_.remove(container->handle);
        } else {
            const std::lock_guard lock(container->mutex);
            container->record.dead = true;  // listed, so that destroy can be tried again
        }
    }
    sweep();
    // NET-15: rules that somebody changed while no gardend ran.
    return parts_.network->settle();
}

base::Result<void> Gardener::adopt(const Handle& handle, Recovery& recovery) {
    auto container = std::make_shared<Container>(handle);
    auto& record = container->record;
    auto bundle = parts_.depot.open_bundle(handle);
    if (!bundle) {
        if (!means_gone(bundle.error())) return std::move(bundle).error();
        return parts_.depot.remove(handle);  // a file: nothing that a container could live in
    }
    container->bundle = std::move(*bundle);
    auto loaded = Depot::load(container->bundle);
    if (loaded) {
        record = std::move(*loaded);
    } else {
        // Not there, or not whole: created was never answered, or a power cut took it together with
        // the processes. Only the name is left.
        const auto kind = loaded.error().kind;
        if (kind != base::Errc::not_found && kind != base::Errc::corrupt &&
            kind != base::Errc::invalid)
            return std::move(loaded).error();
        record.handle = handle;
    }
    if (auto group = parts_.cgroups->open(handle.get())) container->group = std::move(*group);
    auto shim = parts_.hub->rejoin(container->bundle);
    if (!shim && !means_gone(shim.error())) return std::move(shim).error();
    if (shim) container->shim = std::move(*shim);
    if (record.lease) (void)parts_.network->adopt(*record.lease);
    const auto processes = Depot::load_processes(container->bundle);
    for (const auto& process : processes) {
        if (process.pea) adopt_pea(*container, process);
    }
    remember_rules(record);
    if (record.stage != Stage::created || parts_.config.destroy_on_start) {
        const std::lock_guard lock(recovery.mutex);
        recovery.doomed.push_back(std::move(container));
        return base::ok;
    }
    resume(container, processes);
    return base::ok;
}

void Gardener::resume(const ContainerPtr& container, const std::vector<ProcessRecord>& processes) {
    const auto& record = container->record;
    for (const auto& process : processes) {
        container->processes.adopt(
                {.id = process.id,
                 .user = process.user,
                 .argv = process.argv,
                 .exited = false,
                 .exit_code = 0,
                 .host_pid = 0},
                process.terminal, false);
    }
    container->ready = true;
    registry_.adopt(container);
    timers_->arm(container->handle, record.spec.grace_time);
    // gardend may have died between the record of a change and the change. A volume that cannot be
    // told keeps what it had; whoever asks for a change again hears why.
    if (!record.image_plugin) (void)limit_disk(*container, record.spec.limits);
    if (!container->shim) {
        // What it wrote down before it was killed; whatever has no code there was killed with it.
        if (const auto exits = launch::read_exits(container->bundle)) {
            for (const auto& exit : *exits) {
                if (container->processes.contains(exit.id))
                    container->processes.exited(exit.id, exit.exit_code);
            }
        }
        bury(container, "garden-shim is gone");
        container->processes.end_all(kKilledExitCode);  // also when it was buried before
        (void)end_peas(*container);
        return;
    }
    listen(container);
    if (!record.dead) watch_oom(container);
    for (const auto& pea : container->peas.all()) {
        if (pea.group) watch_oom(container, *pea.group);
    }
    const auto joined = join(*container, kFirstAnswer);
    if (joined) return;
    {
        const std::lock_guard lock(container->mutex);
        container->join_error = joined.error().text;
    }
    container->joined = false;
    latecomers_->add(
            [this, weak = std::weak_ptr<Container>(container)] { return join_late(weak); });
}

bool Gardener::join_late(const std::weak_ptr<Container>& weak) {
    const auto container = weak.lock();
    if (!container) return true;
    {
        const std::lock_guard lock(container->mutex);
        if (container->destroying || container->record.dead) return true;
    }
    auto joined = join(*container, launch::kRequestDeadline);
    const std::lock_guard lock(container->mutex);
    if (joined) {
        container->joined = true;
    } else {
        container->join_error = joined.error().text;
    }
    return joined.has_value();
}

base::Result<void> Gardener::join(Container& container, std::chrono::milliseconds deadline) {
    const auto& record = container.record;
    // Sources of bind mounts are not looked at: they are mounted already, and may be gone.
    auto facts = TRY(facts_of(record.spec, record.range));
    const auto shim = [&] {
        const std::lock_guard lock(container.mutex);
        return container.shim;
    }();
    if (!shim) return base::fail(base::Errc::unavailable, "it is being destroyed");
    const auto state = TRY(shim->state(deadline).context("garden-shim does not answer"));
    if (!state.init_alive) return base::ok;  // the hub says so as well, and the container is buried
    container.facts = std::move(facts);
    container.no_new_privileges =
            record.spec.no_new_privileges ||
            (parts_.config.no_new_privileges &&
             container.facts.container_class == security::Class::unprivileged);
    container.init_pid = state.init_pid;
    container.init = TRY(base::sys::open_process(state.init_pid));
    join_processes(container, state);
    return base::ok;
}

void Gardener::join_processes(Container& container, const launch::ShimState& state) {
    std::set<std::string> known;
    for (const auto& process : state.processes) {
        known.insert(process.id);
        const auto rows = container.processes.rows();
        const auto it = std::find_if(
                rows.begin(), rows.end(), [&](const auto& row) { return row.id == process.id; });
        ProcessRow row = it == rows.end() ? ProcessRow{} : *it;
        row.id = process.id;
        row.host_pid = process.host_pid;
        container.processes.adopt(
                std::move(row), container.processes.terminal(process.id), process.internal);
        if (process.exited) container.processes.exited(process.id, process.exit_code);
    }
    // A row without a process: gardend died between writing the row and starting the process, or
    // after forgetting it.
    for (const auto& row : container.processes.rows()) {
        if (known.contains(row.id)) continue;
        container.processes.drop(row.id);
        Depot::drop_process(container.bundle, row.id);
    }
    end_dead_peas(container);
}

}  // namespace garden
