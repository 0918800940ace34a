// Peas: processes with an image of their own (garden-api 10.6). What each has besides its process
// is named in the process's record before it is made, so that whoever finds it can take it down.
#include "base/clock.hpp"
#include "base/defer.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "base/sys/pidfd.hpp"
#include "garden/engine/bind_sources.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/engine/uuid.hpp"
#include "garden/plan/pea_plan.hpp"
#include "security/devices.hpp"

#include <fcntl.h>

#include <algorithm>

namespace garden {

namespace {

// Not a handle, whatever the client chooses: those have no "=".
constexpr const char* kNamePrefix = "pea=";

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
}

// For the id mapping of the pea's volume (ID-06). The pid is garden-init's: our pidfd of it, which
// is looked at after the namespace is open, says that nobody else has got it meanwhile.
base::Result<base::Fd> open_user_namespace(const Container& container) {
    if (!plan::has_user_namespace(container.facts.container_class)) return base::Fd();
    auto opened = TRY(
            base::sys::open_host(base::format("/proc/{}/ns/user", container.init_pid), O_RDONLY));
    if (TRY(base::sys::has_ended(container.init))) {
        return base::fail(
                base::Errc::conflict, "container {} is dead: garden-init has ended",
                container.handle.get());
    }
    return opened;
}

}  // namespace

base::Result<Attachment> Gardener::run_pea(
        const ContainerPtr& container, ProcessSpec spec, bool chosen) {
    if (spec.image.uri.empty()) spec.image.uri = parts_.config.default_rootfs;
    if (spec.image.uri.empty()) {
        return base::fail(
                base::Errc::invalid, "image.uri: not given, and the daemon has no default rootfs");
    }
    const rootfs::ImageRequest request{
            .uri = spec.image.uri,
            .username = spec.image.username,
            .password = spec.image.password};
    const auto image = TRY(parts_.images->ensure(request, {}, stopping_));  // names itself
    const auto sources = TRY(open_bind_sources(spec.bind_mounts));
    const PeaRecord record{
            .name = kNamePrefix + random_uuid(),
            .beside = spec.limits.has_value(),
            .cpu_shares = spec.limits ? effective_shares(*spec.limits) : 0,
            .created_at = now_ns()};
    TRY(container->peas.begin(spec.id, record));
    const base::Defer begun([&] { container->peas.begun(); });
    auto reserved = reserve_process(*container, spec, chosen, record);
    if (!reserved) {
        container->peas.remove(record.name);
        return std::move(reserved).error();
    }
    auto started = start_pea(container, spec, image, record, sources);
    if (started) return started;
    // Should this fail as well, the record stays and so does its owner: destroy, or the next start,
    // tries again.
    if (end_pea(*container, record)) {
        undo_process(*container, spec.id);
    } else {
        container->processes.exited(spec.id, kKilledExitCode);
    }
    return started;
}

base::Result<Attachment> Gardener::start_pea(
        const ContainerPtr& container,
        const ProcessSpec& spec,
        const rootfs::Image& image,
        const PeaRecord& record,
        const std::vector<base::Fd>& sources) {
    auto root = TRY(make_pea_volume(*container, image, record));
    const auto group = TRY(make_pea_group(*container, spec, record));
    container->peas.set_group(record.name, group);
    watch_oom(container, *group);
    const auto accounts = TRY(security::read_account_files(root));
    const auto user = TRY(security::resolve_user(spec.user, accounts));
    plan::PeaInput input{
            .spec = &spec,
            .user = &user,
            .image_env = &image.config.env,
            .no_new_privileges = container->no_new_privileges,
            .bind_source_is_file = {}};
    input.bind_source_is_file = TRY(are_files(sources));
    const auto plan = TRY(plan::plan_pea(input, parts_.facts, container->facts));
    // A group below the container's is seen from the container's cgroup namespace, one beside it
    // from its own.
    const NeedSources needs{
            .group = *group,
            .view = record.beside ? *group : *container->group,
            .bundle = container->bundle,
            .bind_sources = sources,
            .bind_mounts = spec.bind_mounts};
    const auto fds = TRY(open_needs(needs, plan.fds, root));
    return start_process(*container, spec, plan.process, fds);
}

base::Result<base::Fd> Gardener::make_pea_volume(
        Container& container, const rootfs::Image& image, const PeaRecord& record) {
    const auto user_namespace = TRY(open_user_namespace(container));
    const auto limit = [&] {
        const std::lock_guard lock(container.mutex);
        return container.record.spec.limits.disk_bytes;
    }();
    TRY(parts_.images->hold(image, record.name));
    // A limited container must not be able to fill the disk by way of its peas: each may write as
    // much again, whatever the size of its image.
    return parts_.volumes
            ->create(
                    {.name = record.name,
                     .image = &image,
                     .user_namespace = user_namespace,
                     .owner_uid = container.record.range.base,
                     .owner_gid = container.record.range.base,
                     .quota_bytes = limit,
                     .scope = rootfs::QuotaScope::exclusive,
                     .nosuid = false,
                     .survives_power_cut = false})
            .context("make the volume");
}

base::Result<std::shared_ptr<cgroup::Group>> Gardener::make_pea_group(
        Container& container, const ProcessSpec& spec, const PeaRecord& record) {
    std::shared_ptr<cgroup::Group> group;
    if (!record.beside) {
        // Within the container's limits and device rules, with figures of its own.
        group = TRY(parts_.cgroups->create_below(container.handle.get(), record.name)
                            .context("make the cgroup"));
        return group;
    }
    group = TRY(parts_.cgroups->create(record.name).context("make the cgroup"));
    TRY(group->limit(kernel_limits(*spec.limits)).context("set the limits"));
    // DEV-04: the rules are active before the process joins.
    TRY(group->devices(security::device_rules(container.facts.container_class))
                .context("limit the devices"));
    return group;
}

void Gardener::adopt_pea(Container& container, const ProcessRecord& process) {
    const auto& record = *process.pea;
    Pea pea{.process_id = process.id, .record = record, .group = {}};
    auto group = record.beside ? parts_.cgroups->open(record.name)
                               : parts_.cgroups->open_below(container.handle.get(), record.name);
    if (group) pea.group = std::move(*group);
    container.peas.adopt(std::move(pea));
}

void Gardener::pea_exited(const std::weak_ptr<Container>& weak, const std::string& process_id) {
    // On the hub's thread: what takes time is done behind it.
    const auto container = weak.lock();
    if (!container) return;
    const auto pea = container->peas.end(process_id);
    if (!pea) return;
    chores_->once([this, weak, record = pea->record] {
        const auto self = weak.lock();
        if (!self) return;
        note_oom(self);
        // What cannot be taken down now (a process that does not die) goes with the container.
        (void)end_pea(*self, record);
    });
}

base::Result<void> Gardener::end_pea(Container& container, const PeaRecord& record) {
    // Processes that it left behind would keep its root busy.
    auto group = record.beside ? parts_.cgroups->open(record.name)
                               : parts_.cgroups->open_below(container.handle.get(), record.name);
    if (!group && group.error().kind != base::Errc::not_found) return std::move(group).error();
    if (group) {
        TRY((*group)->kill());
        TRY((*group)->remove());
    }
    TRY(parts_.volumes->destroy(record.name));
    TRY(parts_.images->release(record.name));
    container.peas.remove(record.name);
    const std::lock_guard lock(container.mutex);
    if (container.record.pea_oom_kills.erase(record.name) != 0 && !container.destroying)
        (void)Depot::save(container.bundle, container.record);
    return base::ok;
}

base::Result<void> Gardener::end_peas(Container& container) {
    base::Result<void> first = base::ok;  // every one is tried
    for (const auto& pea : container.peas.all()) {
        auto ended = end_pea(container, pea.record);
        if (!ended && first) first = std::move(ended).context("end the process " + pea.process_id);
    }
    return first;
}

void Gardener::end_dead_peas(Container& container) {
    for (const auto& pea : container.peas.all()) {
        const auto& id = pea.process_id;
        const auto& processes = container.processes;
        if (!processes.contains(id) || processes.has_exited(id))
            (void)end_pea(container, pea.record);
    }
}

base::Result<ContainerMetrics> Gardener::process_metrics(const std::string& process_id) {
    std::optional<Pea> found;
    ContainerPtr owner;
    for (const auto& container : registry_.all()) {
        auto pea = container->peas.find(process_id);
        if (!pea || !pea->group) continue;
        if (found) {
            return base::fail(
                    base::Errc::conflict,
                    "process {}: running in container {} and in container {}, only one can be "
                    "meant",
                    process_id, owner->handle.get(), container->handle.get());
        }
        found = std::move(pea);
        owner = container;
    }
    if (!found) return base::fail(base::Errc::not_found, "unknown handle: {}", process_id);
    ContainerMetrics metrics;
    metrics.cgroup = TRY(found->group->metrics());
    if (!found->record.beside && parts_.cgroups->layout() == cgroup::Layout::v2) {
        // There the memory of a group below another that has processes is not told apart.
        const auto whole = TRY(owner->group->metrics());
        metrics.cgroup.memory = whole.memory;
        metrics.cgroup.pids = whole.pids;
    }
    metrics.disk = TRY(parts_.volumes->usage(found->record.name));
    metrics.age = std::chrono::nanoseconds(now_ns() - found->record.created_at);
    metrics.cpu_entitlement = entitlement(found->record.cpu_shares, metrics.age);
    return metrics;
}

}  // namespace garden
