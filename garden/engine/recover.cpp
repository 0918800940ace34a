// After a restart: the depot and the shims are the truth. What lives is adopted, what was half-made
// or half-destroyed is taken down, what has no owner is swept (design 3.5).
#include "base/fail.hpp"
#include "base/sys/pidfd.hpp"
#include "garden/engine/gardener.hpp"

#include <algorithm>
#include <set>

namespace garden {

base::Result<void> Gardener::recover() {
    TRY(parts_.images->recover());
    std::vector<ContainerPtr> doomed;
    for (const auto& handle : TRY(parts_.depot.list())) adopt(handle, doomed);
    // Every adopted address is known before the first new one is handed out, so the doomed can go
    // in any order.
    for (const auto& container : doomed) {
        registry_.adopt(container);
        container->ready = true;
        if (take_down(*container)) registry_.remove(container->handle);
    }
    sweep();
    return base::ok;
}

void Gardener::adopt(const Handle& handle, std::vector<ContainerPtr>& doomed) {
    auto container = std::make_shared<Container>(handle);
    auto bundle = parts_.depot.open_bundle(handle);
    if (!bundle) {
        // Not a directory of ours: nothing that a container could live in.
        (void)parts_.depot.remove(handle);
        return;
    }
    container->bundle = std::move(*bundle);
    auto record = Depot::load(container->bundle);
    if (record) {
        container->record = std::move(*record);
    } else {
        container->record.handle =
                handle;  // created() was never answered, or the disk lost it: only the name is left
    }
    const auto joined = rejoin(container);
    if (container->record.lease) (void)parts_.network->adopt(*container->record.lease);
    if (container->record.stage != Stage::created || parts_.config.destroy_on_start) {
        doomed.push_back(std::move(container));
        return;
    }
    container->ready = true;
    registry_.adopt(container);
    if (!joined) bury(container, joined.error().text);
    timers_->arm(handle, container->record.spec.grace_time);
    if (!container->record.dead) watch_oom(container);
}

base::Result<void> Gardener::rejoin(const ContainerPtr& container) {
    auto& record = container->record;
    auto group = parts_.cgroups->open(container->handle.get());
    if (group) container->group = std::move(*group);
    for (auto& process : Depot::load_processes(container->bundle)) {
        container->processes.adopt(
                {.id = process.id,
                 .user = process.user,
                 .argv = process.argv,
                 .exited = false,
                 .exit_code = 0,
                 .host_pid = 0},
                process.terminal, false);
    }
    auto shim = parts_.hub->rejoin(container->bundle);
    if (!shim) return std::move(shim).error().context("garden-shim is gone");
    container->shim = std::move(*shim);
    if (record.stage != Stage::created) return base::ok;
    container->facts = TRY(facts_of(record.spec, record.range));
    container->no_new_privileges =
            record.spec.no_new_privileges ||
            (parts_.config.no_new_privileges &&
             container->facts.container_class == security::Class::unprivileged);
    listen(container);
    const auto state = TRY(container->shim->state());
    if (!state.init_alive) return base::fail(base::Errc::unavailable, "garden-init was killed");
    container->init_pid = state.init_pid;
    container->init = TRY(base::sys::open_process(state.init_pid));
    std::set<std::string> known;
    for (const auto& process : state.processes) {
        known.insert(process.id);
        const auto rows = container->processes.rows();
        const auto it = std::find_if(
                rows.begin(), rows.end(), [&](const auto& row) { return row.id == process.id; });
        ProcessRow row = it == rows.end() ? ProcessRow{} : *it;
        row.id = process.id;
        row.host_pid = process.host_pid;
        container->processes.adopt(
                std::move(row), container->processes.terminal(process.id), process.internal);
        if (process.exited) container->processes.exited(process.id, process.exit_code);
    }
    // A row without a process: gardend died between writing the row and starting the process, or
    // after forgetting it.
    for (const auto& row : container->processes.rows()) {
        if (known.contains(row.id)) continue;
        container->processes.drop(row.id);
        Depot::drop_process(container->bundle, row.id);
    }
    return base::ok;
}

void Gardener::sweep() {
    // Whatever bears a name of ours and belongs to no container: the leavings of a gardend that was
    // killed.
    std::set<std::string> handles;
    std::set<std::string> ranges;
    std::set<std::string> leases;
    for (const auto& container : registry_.all()) {
        handles.insert(container->handle.get());
        ranges.insert(container->record.range_owner);
        if (container->record.lease) leases.insert(container->record.lease->id);
    }
    const auto each = [](auto&& names, const auto& owned, auto&& remove) {
        if (!names) return;
        for (const auto& name : *names) {
            if (!owned.contains(name)) remove(name);
        }
    };
    each(parts_.cgroups->list(), handles, [&](const std::string& name) {
        auto group = parts_.cgroups->open(name);
        if (!group) return;
        (void)(*group)->kill();
        (void)(*group)->remove();
    });
    each(parts_.network->present(), leases,
         [&](const std::string& id) { (void)parts_.network->sweep(id); });
    each(parts_.volumes->list(), handles,
         [&](const std::string& name) { (void)parts_.volumes->destroy(name); });
    each(parts_.images->owners(), handles,
         [&](const std::string& name) { (void)parts_.images->release(name); });
    for (const auto& [owner, range] : parts_.ranges->list()) {
        if (ranges.contains(owner)) continue;
        // The files of a range go before the range: volumes are deleted behind, in their own time.
        ContainerRecord orphan;
        orphan.range_owner = owner;
        orphan.range = range;
        chores_->repeat(
                [this, owner] {
                    if (parts_.volumes->deleting("")) return false;
                    return parts_.ranges->release(owner).has_value();
                },
                std::chrono::minutes(30), [] {});
    }
}

}  // namespace garden
