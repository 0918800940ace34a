// Sweep: whatever bears a name of ours and belongs to no container, the leavings of a gardend that
// was killed.
#include "garden/engine/gardener.hpp"

#include <set>

namespace garden {

void Gardener::sweep() {
    std::set<std::string> handles;
    std::set<std::string> ranges;
    std::set<std::string> leases;
    for (const auto& container : registry_.all()) {
        handles.insert(container->handle.get());
        for (auto& name : container->peas.names()) handles.insert(std::move(name));
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
        // Whose volume it was is not known: all that are being deleted go first.
        release_range_later(owner, {""});
    }
}

}  // namespace garden
