// Doctor: every kernel object or directory without an owner, and every record without its
// resources. Finds, does not mend.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/sys/file.hpp"
#include "garden/engine/gardener.hpp"

#include <algorithm>
#include <set>

namespace garden {

namespace {

// Between two looks: what a request is just making or the kernel is just finishing is not an
// orphan.
constexpr std::chrono::milliseconds kSecondLook{300};
constexpr std::chrono::seconds kSettle{5};

bool same(const Orphan& a, const Orphan& b) {
    return a.kind == b.kind && a.name == b.name;
}

}  // namespace

base::Result<std::vector<Orphan>> Gardener::doctor() {
    (void)chores_->drain(kSettle);
    auto first = find_orphans();
    if (first.empty()) return first;
    base::pause_for(kSecondLook);
    const auto second = find_orphans();
    std::erase_if(first, [&](const Orphan& orphan) {
        return std::none_of(second.begin(), second.end(), [&](const auto& other) {
            return same(orphan, other);
        });
    });
    return first;
}

std::vector<Orphan> Gardener::find_orphans() {
    std::vector<Orphan> found;
    std::set<std::string> handles;
    std::set<std::string> ranges = pool_->range_owners();
    ranges.merge(lone_pool_->range_owners());
    // Before the list of ranges is read: what is released in between is in neither.
    ranges.merge(ranges_being_released());
    std::set<std::string> leases = pool_->lease_ids();
    const auto containers = registry_.all();
    for (const auto& container : containers) {
        handles.insert(container->handle.get());
        for (auto& name : container->peas.names()) handles.insert(std::move(name));
        if (!container->ready) continue;
        const std::lock_guard lock(container->mutex);
        ranges.insert(container->record.range_owner);
        if (container->record.lease) leases.insert(container->record.lease->id);
    }
    const auto check = [&](const char* kind, const auto& names, const auto& owned) {
        if (!names) {
            found.push_back(
                    {.kind = kind,
                     .name = "?",
                     .reason = "cannot be listed: " + names.error().text});
            return;
        }
        for (const auto& name : *names) {
            if (!owned.contains(name))
                found.push_back({.kind = kind, .name = name, .reason = "belongs to no container"});
        }
    };
    check("cgroup", parts_.cgroups->list(), handles);
    check("interface", parts_.network->present(), leases);
    check("volume", parts_.volumes->list(), handles);
    check("loop device", parts_.volumes->strays(), std::set<std::string>{});
    check("image hold", parts_.images->owners(), handles);
    const auto bundles = parts_.depot.list();
    if (bundles) {
        for (const auto& bundle : *bundles) {
            if (!handles.contains(bundle.get())) {
                found.push_back(
                        {.kind = "bundle",
                         .name = bundle.get(),
                         .reason = "belongs to no container"});
            }
        }
    }
    for (const auto& [owner, range] : parts_.ranges->list()) {
        if (!ranges.contains(owner)) {
            found.push_back(
                    {.kind = "id-range",
                     .name = base::format("{} ({})", owner, range.base),
                     .reason = "belongs to no container"});
        }
    }
    for (auto& orphan : find_groupless(containers)) found.push_back(std::move(orphan));
    for (auto& drift : find_drift()) found.push_back(std::move(drift));
    return found;
}

std::vector<Orphan> Gardener::find_groupless(const std::vector<ContainerPtr>& containers) {
    std::vector<Orphan> found;
    const auto listed = parts_.cgroups->list();
    if (!listed) return found;  // said above
    const std::set<std::string> groups(listed->begin(), listed->end());
    for (const auto& container : containers) {
        if (!container->ready || container->record.dead) continue;
        const auto& name = container->handle.get();
        if (!groups.contains(name))
            found.push_back({.kind = "container", .name = name, .reason = "has no cgroup"});
    }
    return found;
}

}  // namespace garden
