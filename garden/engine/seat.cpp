#include "garden/engine/seat.hpp"

#include "garden/engine/uuid.hpp"
#include "garden/plan/launch_plan.hpp"

namespace garden {

namespace {

constexpr std::chrono::seconds kShimDeadline{5};

}  // namespace

base::Result<Seat> Seats::make(security::Class container_class, const std::string& network) {
    Seat seat;
    auto made = prepare(seat, container_class, network);
    if (made) return seat;
    release(seat);
    return std::move(made).error();
}

base::Result<void> Seats::prepare(
        Seat& seat, security::Class container_class, const std::string& network) {
    plan::ContainerFacts facts{
            .container_class = container_class,
            .id_base = 0,
            .id_length = 0,
            .filter = {},
            .bind_source_is_file = {}};
    if (garden_ids_ && container_class == security::Class::unprivileged) {
        seat.range = {.base = plan::kGardenRootId, .length = plan::kGardenIdLength};
        facts.id_base = seat.range.base;
        facts.id_length = seat.range.length;
        facts.garden_ids = true;
    } else if (plan::has_user_namespace(container_class)) {
        seat.range_owner =
                random_uuid();  // unique over restarts: a dead daemon's range never looks like ours
        seat.range = TRY(ranges_.allocate(seat.range_owner));  // ID-03: recorded before use
        facts.id_base = seat.range.base;
        facts.id_length = seat.range.length;
    }
    if (network != kNoNetwork) seat.lease = TRY(network_.lease(network));
    seat.shim = TRY(hub_.spawn());
    hub_.listen(
            seat.shim, {.exited = [](const std::string&, std::int32_t) {},
                        .container_died = [lost = seat.lost] { *lost = true; },
                        .shim_lost = [lost = seat.lost] { *lost = true; }});
    seat.namespaces = TRY(seat.shim->prepare(plan::plan_namespaces(facts)));
    const base::FdRef network_namespace = seat.namespaces.network_namespace;
    return seat.lease ? network_.connect(*seat.lease, network_namespace)
                      : network_.isolate(network_namespace);
}

void Seats::release(Seat& seat) {
    if (seat.shim)
        (void)seat.shim->destroy(kShimDeadline);  // it also ends by itself when our socket closes
    seat.shim.reset();
    seat.namespaces = {};
    if (seat.lease) {
        (void)network_.disconnect(*seat.lease, true);
        network_.release(*seat.lease);
        seat.lease.reset();
    }
    if (!seat.range_owner.empty()) (void)ranges_.release(seat.range_owner);
    seat.range_owner.clear();
}

}  // namespace garden
