// What can be asked and noted without changing a running container: list, info, metrics, limits,
// properties, capacity.
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/engine/net_in.hpp"
#include "garden/engine/plugins.hpp"
#include "garden/plan/validate.hpp"

#include <unistd.h>

#include <algorithm>

namespace garden {

namespace {

std::chrono::nanoseconds age_of(const ContainerRecord& record) {
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::system_clock::now().time_since_epoch());
    return now - std::chrono::nanoseconds(record.created_at);
}

std::uint64_t page_bytes(int what) {
    const auto pages = ::sysconf(what);
    const auto size = ::sysconf(_SC_PAGESIZE);
    return pages < 0 || size < 0
                   ? 0
                   : static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size);
}

// Under the container's lock: durable before anybody sees it, unchanged when it cannot be saved.
template <class F>
base::Result<void> change_properties(Container& container, F&& change) {
    const auto before = container.record.properties;
    change();
    auto saved = Depot::save(container.bundle, container.record);
    if (!saved) container.record.properties = before;
    return saved;
}

}  // namespace

std::vector<Handle> Gardener::list(const std::map<std::string, std::string>& property_filter) {
    // garden-api §6: half-made containers are hidden unless the filter speaks about garden.state;
    // "all" shows every one.
    auto filter = property_filter;
    const auto state = filter.try_emplace("garden.state", "created").first;
    if (state->second == "all") filter.erase(state);
    std::vector<Handle> handles;
    for (const auto& container : registry_.all()) {
        std::map<std::string, std::string> properties;
        if (container->ready) {
            const std::lock_guard lock(container->mutex);
            properties = container->record.properties;
        }
        const bool matches = std::all_of(filter.begin(), filter.end(), [&](const auto& wanted) {
            const auto it = properties.find(wanted.first);
            return (it == properties.end() ? std::string() : it->second) == wanted.second;
        });
        if (matches) handles.push_back(container->handle);
    }
    return handles;
}

base::Result<ContainerInfo> Gardener::info(const Handle& handle) {
    auto container = TRY(registry_.find(handle));
    if (!container->ready)
        return base::fail(base::Errc::not_found, "unknown handle: {}", handle.get());
    note_oom(container);
    ContainerInfo info;
    for (const auto& row : container->processes.rows()) {
        if (!row.exited) info.process_ids.push_back(row.id);
    }
    const std::lock_guard lock(container->mutex);
    const auto& record = container->record;
    info.state = record.stopped ? "stopped" : "active";
    info.events = record.events;
    info.container_path = parts_.depot.path_of(handle);
    info.properties = record.properties;
    if (record.lease) {
        info.host_ip = record.lease->host_ip;
        info.container_ip = record.lease->container_ip;
        info.container_ipv6 = record.lease->container_ip6;
        info.external_ip = record.lease->external_ip;
        info.mapped_ports = ports_of(*record.lease);
    }
    if (record.network_plugin) describe_plugin_network(record.properties, info);
    return info;
}

void Gardener::watch_oom(const ContainerPtr& container) {
    if (container->group) watch_oom(container, *container->group);
}

void Gardener::watch_oom(const ContainerPtr& container, cgroup::Group& group) {
    // Without a watch the event is still found when somebody asks (note_oom in info), or when the
    // pea ends.
    (void)parts_.cgroups->watch_oom(group, [this, weak = std::weak_ptr(container)] {
        chores_->once([this, weak] {
            if (const auto self = weak.lock()) note_oom(self);
        });
    });
}

void Gardener::note_oom(const ContainerPtr& container) {
    if (!container->group) return;
    const auto kills = container->group->oom_kills();
    // A kill counts where its victim was: those of peas are not among the container's.
    std::map<std::string, std::uint64_t> pea_kills;
    for (const auto& pea : container->peas.all()) {
        if (!pea.group) continue;
        if (const auto count = pea.group->oom_kills()) pea_kills[pea.record.name] = *count;
    }
    const std::lock_guard lock(container->mutex);
    auto& record = container->record;
    bool news = false;
    const auto note = [&news](std::uint64_t& known, std::uint64_t now) {
        news = news || known < now;
        known = std::max(known, now);
    };
    if (kills) note(record.oom_kills, *kills);
    for (const auto& [name, count] : pea_kills) {
        if (count != 0) note(record.pea_oom_kills[name], count);
    }
    if (!news) return;
    // One event per notice, not per killed process: consumers look for the text, not for a count.
    record.events.emplace_back("Out of memory");
    constexpr std::size_t kEvents = 64;
    if (record.events.size() > kEvents) record.events.erase(record.events.begin());
    (void)Depot::save(container->bundle, record);
}

std::uint64_t Gardener::entitlement(std::uint64_t shares, std::chrono::nanoseconds age) const {
    // garden-api 5.8: shares x percent per share x age.
    double per_share = parts_.config.cpu_entitlement_per_share;
    if (per_share == 0) {
        const auto cores = static_cast<double>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
        const auto mebibytes = static_cast<double>(page_bytes(_SC_PHYS_PAGES)) / (1024.0 * 1024.0);
        per_share = mebibytes > 0 ? 100.0 * cores / mebibytes : 0;
    }
    return static_cast<std::uint64_t>(
            static_cast<double>(shares) * per_share / 100.0 * static_cast<double>(age.count()));
}

base::Result<ContainerMetrics> Gardener::metrics(const Handle& handle) {
    auto container = TRY(living(handle));
    ContainerMetrics metrics;
    metrics.cgroup = TRY(container->group->metrics());
    const auto& record = container->record;
    metrics.disk = record.image_plugin && image_plugin_
                           ? TRY(image_plugin_->usage(handle, is_privileged(record.spec)))
                           : TRY(parts_.volumes->usage(handle.get()));
    const std::lock_guard lock(container->mutex);
    if (record.lease) {
        auto counters = parts_.network->counters(*record.lease);
        if (counters) metrics.network = *counters;
    }
    metrics.age = age_of(record);
    metrics.cpu_entitlement = entitlement(effective_shares(record.spec.limits), metrics.age);
    return metrics;
}

base::Result<LimitsSpec> Gardener::limits(const Handle& handle) {
    auto container = TRY(living(handle));
    auto limits = [&] {
        const std::lock_guard lock(container->mutex);
        return container->record.spec.limits;
    }();
    const auto real = TRY(container->group->limits());
    limits.cpu_shares = real.cpu_shares;
    limits.cpu_weight = 0;
    return limits;
}

base::Result<void> Gardener::set_grace_time(const Handle& handle, std::chrono::nanoseconds time) {
    if (time.count() < 0)
        return base::fail(base::Errc::invalid, "grace_time: {} is negative", time.count());
    auto container = TRY(living(handle));
    const std::lock_guard lock(container->mutex);
    container->record.spec.grace_time = time;
    container->record.properties["garden.grace-time"] = std::to_string(time.count());
    TRY(Depot::save(container->bundle, container->record));
    timers_->arm(handle, time);
    return base::ok;
}

std::shared_ptr<void> Gardener::touch(const Handle& handle) {
    return timers_->pause(handle);
}

base::Result<std::map<std::string, std::string>> Gardener::properties(const Handle& handle) {
    auto container = TRY(registry_.find(handle));
    if (!container->ready)
        return base::fail(base::Errc::not_found, "unknown handle: {}", handle.get());
    const std::lock_guard lock(container->mutex);
    return container->record.properties;
}

base::Result<std::string> Gardener::property(const Handle& handle, const std::string& name) {
    const auto all = TRY(properties(handle));
    const auto it = all.find(name);
    if (it == all.end())
        return base::fail(base::Errc::not_found, "property does not exist: {}", name);
    return it->second;
}

base::Result<void> Gardener::set_property(
        const Handle& handle, const std::string& name, const std::string& value) {
    TRY(plan::check_property(name, value));
    auto container = TRY(registry_.find(handle));
    if (!container->ready)
        return base::fail(base::Errc::not_found, "unknown handle: {}", handle.get());
    const std::lock_guard lock(container->mutex);
    auto& properties = container->record.properties;
    if (!properties.contains(name) && properties.size() >= plan::kProperties) {
        return base::fail(
                base::Errc::exhausted, "properties: at most {} are allowed", plan::kProperties);
    }
    return change_properties(*container, [&] { properties[name] = value; });
}

base::Result<void> Gardener::remove_property(const Handle& handle, const std::string& name) {
    auto container = TRY(registry_.find(handle));
    if (!container->ready)
        return base::fail(base::Errc::not_found, "unknown handle: {}", handle.get());
    const std::lock_guard lock(container->mutex);
    return change_properties(*container, [&] { container->record.properties.erase(name); });
}

base::Result<Capacity> Gardener::capacity() {
    const auto disk = TRY(parts_.volumes->disk());
    // garden-behaviours C.7: a plugin has room without end, or at least does not tell.
    auto most = network_plugin_ ? std::numeric_limits<std::uint64_t>::max()
                                : parts_.network->capacity();
    // C.8: a plugin that cannot tell is no reason to fail.
    const auto room = image_plugin_ ? image_plugin_->capacity()
                                    : base::Result<std::uint64_t>(disk.total_bytes);
    if (parts_.config.max_containers != 0) most = std::min(most, parts_.config.max_containers);
    return Capacity{
            .memory_bytes = page_bytes(_SC_PHYS_PAGES),
            .disk_bytes = disk.total_bytes,
            .schedulable_disk_bytes = room ? *room : disk.total_bytes,
            .max_containers = most};
}

base::Result<void> Gardener::ping() {
    // Healthy means: the depot can be read, so that a create could be recorded.
    TRY(parts_.depot.list());
    return base::ok;
}

}  // namespace garden
