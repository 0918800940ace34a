// rtnetlink: veth pairs, bridges, addresses, routes, neighbours. One function per message; no
// policy. Used by network.cpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/net/address.hpp"
#include "garden/net/names.hpp"
#include "garden/net/netlink.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace garden::net {

struct VethPair {
    std::string host_name;
    std::string peer_name;
    Mac host_mac{};
    Mac peer_mac{};
    std::uint16_t mtu = 1500;
    std::uint32_t group = 0;  // of the host's end
    base::FdRef peer_namespace;
};

struct Bridge {
    std::string name;
    Mac mac{};
    std::uint16_t mtu = 1500;
    std::uint32_t group = 0;
};

// What an end gets when it goes up.
enum class End { host, host_v6, container };

void add_veth(Messages& messages, const VethPair& pair);
void add_bridge(Messages& messages, const Bridge& bridge);
void set_up(Messages& messages, int index, End end);  // NET-03 settings and IFF_UP in one message
void set_port(Messages& messages, int index, int bridge, bool isolated);
void delete_link(Messages& messages, int index);

// `peer`: the address at the other end (host_ip peer container_ip), which also makes the route.
void add_address(
        Messages& messages,
        int index,
        const Address& address,
        std::uint8_t prefix,
        std::optional<Address> peer = std::nullopt);
void delete_address(Messages& messages, int index, const Address& address, std::uint8_t prefix);
void add_route(Messages& messages, int index, const Address& destination, std::uint8_t prefix);
void delete_route(Messages& messages, int index, const Address& destination, std::uint8_t prefix);
void add_default_route(Messages& messages, int index, const Address& gateway);
void add_neighbour(Messages& messages, int index, const Address& address, const Mac& mac);
void delete_neighbour(Messages& messages, int index, const Address& address);

struct Link {
    int index = 0;
    std::string name;
    std::uint32_t group = 0;
    std::uint16_t mtu = 0;
    int master = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
    bool carries = false;  // up, and the kernel has noticed that its other end is
};

base::Result<std::vector<Link>> list_links(Netlink& route);
base::Result<Link> get_link(Netlink& route, const std::string& name);  // Errc::not_found

struct InterfaceAddress {
    int index = 0;
    Cidr address;
};

base::Result<std::vector<InterfaceAddress>> list_addresses(Netlink& route);

}  // namespace garden::net
