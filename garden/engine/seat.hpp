// A seat: what every new container needs and what is slow to make - a shim, namespaces, an id
// range, addresses. Made on request or ahead of time by the warm pool; never used twice
// (design 3.9). Used by garden/engine only.
#pragma once

#include "base/result.hpp"
#include "garden/launch/shim_client.hpp"
#include "garden/net/network.hpp"
#include "security/classes.hpp"
#include "security/id_ranges.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace garden {

struct Seat {
    std::shared_ptr<launch::Shim> shim;
    launch::Prepared namespaces;
    std::string range_owner;  // "" without a user namespace, or with Garden's shared ids
    security::IdRange range{.base = 0, .length = 0};
    std::optional<net::Lease> lease;  // none: only lo
    std::shared_ptr<std::atomic<bool>> lost =
            std::make_shared<std::atomic<bool>>(false);  // its shim has died
};

class Seats {
  public:
    // `garden_ids`: compat.garden_id_mapping, unprivileged containers share one range.
    Seats(launch::ShimHub& hub, security::IdRanges& ranges, net::Network& network, bool garden_ids)
        : hub_(hub), ranges_(ranges), network_(network), garden_ids_(garden_ids) {}

    // Everything or nothing. `network`: as ContainerSpec::network.
    base::Result<Seat> make(security::Class container_class, const std::string& network);
    // Gives everything back; the address only when its interface is gone, which the caller waits
    // for.
    void release(Seat& seat);

  private:
    base::Result<void> prepare(
            Seat& seat, security::Class container_class, const std::string& network);

    launch::ShimHub& hub_;
    security::IdRanges& ranges_;
    net::Network& network_;
    const bool garden_ids_;
};

}  // namespace garden
