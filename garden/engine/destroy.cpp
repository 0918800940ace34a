// Destroy, and the take-down that create, recovery and destroy share: idempotent, works on whatever
// exists of a container.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/engine/gardener.hpp"

namespace garden {

namespace {

// A process in uninterruptible sleep cannot be killed: destroy says so after this time and can be
// tried again.
constexpr std::chrono::seconds kKillDeadline{10};
// How long a container whose end came while it was being made may need to be made.
constexpr std::chrono::seconds kMakingDeadline{30};
// How long a volume's files may take to be deleted before its id range is left to the next start's
// sweep.
constexpr std::chrono::minutes kVolumeDeadline{30};

}  // namespace

base::Result<void> Gardener::destroy(const Handle& handle) {
    auto container = TRY(registry_.find(handle));
    {
        const std::lock_guard lock(container->mutex);
        if (container->destroying)
            return base::fail(base::Errc::conflict, "container already being destroyed");
        if (!container->ready)
            return base::fail(
                    base::Errc::conflict, "container {} is still being created", handle.get());
        container->destroying = true;
        container->record.stage = Stage::destroying;
        (void)Depot::save(
                container->bundle,
                container->record);  // with a full disk destroy must work all the same
    }
    timers_->disarm(handle);
    auto done = [&] {
        const std::lock_guard alone(container->ending);
        return take_down(*container);
    }();
    if (!done) {
        const std::lock_guard lock(container->mutex);
        container->destroying = false;
        return std::move(done).context(base::format("destroy container {}", handle.get()));
    }
    registry_.remove(handle);
    tell_denials(*parts_.events, *container);
    parts_.events->append("container.destroy", handle.get());
    return base::ok;
}

base::Result<void> Gardener::end_processes(Container& container) {
    if (container.shim) {
        auto ended = container.shim->destroy(kKillDeadline);
        // A dead shim has taken its children with it; what is left is in the group.
        if (!ended && ended.error().kind == base::Errc::timeout) return ended;
    }
    auto group = container.group;
    if (!group) {
        auto opened = parts_.cgroups->open(container.handle.get());
        if (!opened && opened.error().kind == base::Errc::not_found) return base::ok;
        group = TRY(std::move(opened));
    }
    if (!container.shim) TRY(group->kill());
    return group->remove();
}

base::Result<void> Gardener::take_down(Container& container) {
    TRY(end_processes(container));
    container.processes.end_all(kKilledExitCode);
    // One that is being started fails now, for its shim is gone, and cleans up behind itself.
    container.peas.close();
    TRY(end_peas(container));
    const auto& record = container.record;
    if (record.lease) TRY(parts_.network->disconnect(*record.lease, false));
    TRY(disconnect_by_plugin(record));
    TRY(parts_.volumes->destroy(container.handle.get()));
    TRY(parts_.images->release(container.handle.get()));
    TRY(drop_image_of_plugin(record));
    auto volumes = container.peas.names();
    volumes.push_back(container.handle.get());
    release_later(record, std::move(volumes));
    // Shim, group and descriptors go with the last operation that still holds the container.
    return parts_.depot.remove(container.handle);
}

void Gardener::release_later(const ContainerRecord& record, std::vector<std::string> volumes) {
    if (record.lease) departures_->add(*record.lease);
    if (!record.range_owner.empty()) {
        release_range_later(record.range_owner, std::move(volumes));
    }
}

void Gardener::release_range_later(const std::string& owner, std::vector<std::string> volumes) {
    {
        const std::lock_guard lock(releasing_mutex_);
        releasing_.insert(owner);
    }
    const auto forget = [this, owner] {
        const std::lock_guard lock(releasing_mutex_);
        releasing_.erase(owner);
    };
    // ID-03: not before every file of the range is gone.
    chores_->repeat(
            [this, owner, volumes = std::move(volumes), forget] {
                for (const auto& volume : volumes) {
                    if (parts_.volumes->deleting(volume)) return false;
                }
                if (!parts_.ranges->release(owner)) return false;
                forget();
                return true;
            },
            kVolumeDeadline, forget);
}

std::set<std::string> Gardener::ranges_being_released() const {
    const std::lock_guard lock(releasing_mutex_);
    return releasing_;
}

void Gardener::bury_later(const std::weak_ptr<Container>& weak, const std::string& reason) {
    // The news may come while create is still at work: then create fails by itself, or is about to
    // be done.
    chores_->repeat(
            [this, weak, reason] {
                const auto container = weak.lock();
                if (!container) return true;
                if (!container->ready) return false;
                bury(container, reason);
                return true;
            },
            kMakingDeadline, [] {});
}

void Gardener::bury(const ContainerPtr& container, const std::string& reason) {
    // What the kernel still runs of it is ended and its group removed; the container stays listed,
    // as dead, until its owner destroys it: it is never dropped behind the owner's back.
    // Groups go by name: after a destroy that name may be another container's.
    const std::lock_guard alone(container->ending);
    {
        const std::lock_guard lock(container->mutex);
        auto& record = container->record;
        if (!container->ready || container->destroying || record.dead) return;
        record.dead = true;
        record.stopped = true;
        record.events.push_back("container died: " + reason);
        (void)Depot::save(container->bundle, record);
    }
    if (container->group) {
        (void)container->group->kill();
        (void)container->group->remove();
    }
    container->processes.end_all(kKilledExitCode);
    (void)end_peas(*container);  // what is left of them goes with the container
    parts_.events->append("container.died", container->handle.get(), {{"reason", reason}});
}

base::Result<void> Gardener::tear_down() {
    pool_.reset();
    lone_pool_.reset();
    std::string failed;
    for (const auto& container : registry_.all()) {
        const auto done = destroy(container->handle);
        if (!done && done.error().kind != base::Errc::not_found)
            failed += (failed.empty() ? "" : "; ") + done.error().text;
    }
    if (!failed.empty()) return base::fail(base::Errc::unavailable, "{}", failed);
    (void)chores_->drain(kMakingDeadline);
    TRY(parts_.network->tear_down().context("network"));
    return parts_.cgroups->remove_parent().context("cgroups");
}

}  // namespace garden
