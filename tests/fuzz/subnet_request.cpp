// Requested networks of a ContainerSpec: whatever is granted lies in its subnet, is nobody else's,
// and can be given back.
#include "garden/net/names.hpp"
#include "garden/net/pool.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace garden::net;

namespace {

void check(const Pool& pool, const Placement& granted, std::set<Address>& addresses) {
    const Range range = range_of(granted.subnet);
    fuzz::require(contains(granted.subnet, granted.container), "a container is in its subnet");
    fuzz::require(contains(granted.subnet, granted.gateway), "a gateway is in its subnet");
    fuzz::require(
            granted.container != granted.gateway && granted.container != range.first &&
                    granted.container != range.last,
            "a container has an address for hosts");
    fuzz::require(granted.shared != overlap(granted.subnet, pool.range()), "the pool is its own");
    fuzz::require(addresses.insert(granted.container).second, "an address has one container");
    const auto again = parse_cidr(to_string(granted.subnet));
    fuzz::require(again && *again == granted.subnet, "a subnet reads the same after printing");
    if (granted.shared) {
        fuzz::require(pool.users(granted.subnet) > 0, "a granted subnet is in use");
        fuzz::require(
                pool.has_bridge(bridge_interface("t", granted.subnet.network), "t"),
                "a granted subnet has its bridge");
    }
}

}  // namespace

// Lines; each is one request.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    Pool pool = Pool::make("10.254.0.0/26", "fd00::/116").value();
    std::set<Address> addresses;
    std::vector<Placement> granted;
    for (int lines = 0; !input.empty() && lines < 64; ++lines) {
        auto placement = pool.take(input.until("\n"));
        if (!placement) continue;
        check(pool, *placement, addresses);
        granted.push_back(*placement);
    }
    // A daemon that starts again takes over what its containers have.
    Pool restarted = Pool::make("10.254.0.0/26", "fd00::/116").value();
    for (const Placement& placement : granted)
        fuzz::require(restarted.adopt(placement).has_value(), "what was granted can be adopted");
    fuzz::require(restarted.free() == pool.free(), "a restarted pool knows what is taken");
    for (const Placement& placement : granted) pool.give(placement);
    fuzz::require(pool.free() == pool.capacity(), "everything can be given back");
    for (const Placement& placement : granted)
        fuzz::require(pool.users(placement.subnet) == 0, "an unused subnet is nobody's");
    return 0;
}
