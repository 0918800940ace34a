// What the network can prove: connections of a container, and rules that are in force (NET-07,
// NET-15).
#include "base/fail.hpp"
#include "garden/engine/gardener.hpp"
#include "garden/engine/out_rules.hpp"
#include "garden/net/names.hpp"

#include <optional>

namespace garden {

base::Result<net::Evidence> Gardener::connections(const Handle& handle, std::uint64_t after) {
    const auto container = TRY(registry_.find(handle));
    std::optional<net::Lease> lease;
    {
        const std::lock_guard lock(container->mutex);
        lease = container->record.lease;
    }
    // Without a network nothing is counted, and nothing can be refused.
    return lease ? parts_.network->evidence(*lease, after) : net::Evidence{};
}

// Before the first request, so that whoever deletes the rules now finds all of them put back.
void Gardener::remember_rules(const ContainerRecord& record) {
    if (!record.lease) return;
    // They were checked when they were recorded; what an older gardend took and we do not is in the
    // kernel only.
    const auto rules = parse_out_rules(record.spec.out_rules);
    if (rules) (void)parts_.network->remember(*record.lease, *rules);
}

std::vector<Orphan> Gardener::find_drift() {
    std::vector<Orphan> found;
    const auto name = net::table_name(parts_.config.tag);
    const auto add = [&](const std::string& reason) {
        if (!reason.empty()) found.push_back({.kind = "network", .name = name, .reason = reason});
    };
    const auto state = parts_.network->integrity();
    add(state ? state->unrepaired : "its state cannot be read: " + state.error().text);
    if (state && !state->unlogged.empty())
        add("refused connections are not logged: " + state->unlogged);
    if (state && !state->unended_flows.empty())
        add("flows of an ended container were not forgotten: " + state->unended_flows);
    return found;
}

}  // namespace garden
