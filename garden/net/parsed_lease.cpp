#include "garden/net/parsed_lease.hpp"

#include "base/fail.hpp"
#include "garden/net/names.hpp"

namespace garden::net {

base::Result<ParsedLease> parse_lease(const Lease& lease, const std::string& tag) {
    if (!is_lease_id(lease.id))
        return base::fail(base::Errc::invalid, "network lease id '{}' is malformed", lease.id);
    ParsedLease parsed;
    parsed.placement.subnet = TRY(parse_cidr(lease.subnet));
    parsed.placement.gateway = TRY(parse_address(lease.host_ip));
    parsed.placement.container = TRY(parse_address(lease.container_ip));
    if (parsed.placement.gateway.is_v6() || parsed.placement.container.is_v6() ||
        parsed.placement.subnet.network.is_v6()) {
        return base::fail(
                base::Errc::invalid, "network lease {}: its subnet is not IPv4", lease.id);
    }
    parsed.placement.shared = !lease.bridge.empty();
    parsed.binding.tag = tag;
    parsed.binding.id = lease.id;
    parsed.binding.host_interface = host_interface(tag, lease.id);
    parsed.binding.address = parsed.placement.container;
    parsed.binding.ports = lease.ports;
    parsed.binding.shaping = lease.shaping;
    parsed.binding.mac = container_mac(parsed.placement.container);
    if (!lease.container_ip6.empty()) {
        parsed.placement.subnet6 = TRY(
                parse_cidr(lease.container_ip6 + "/" + std::to_string(unsigned{lease.prefix6})));
        parsed.binding.address6 = TRY(parse_address(lease.container_ip6));
        parsed.gateway6 = TRY(parse_address(lease.host_ip6));
    }
    return parsed;
}

}  // namespace garden::net
