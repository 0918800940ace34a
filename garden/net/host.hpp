// What the host is and must be: its external address, its resolvers, forwarding; and the two files
// a container gets. Used by network.cpp.
#pragma once

#include "base/result.hpp"
#include "garden/net/address.hpp"
#include "garden/net/netlink.hpp"
#include "garden/net/network.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace garden::net {

// The local address that the kernel would use towards the outside; 127.0.0.1 on a host without a
// route.
std::string detect_external_ip();
std::string detect_external_ip6();  // "" without a route
// MTU of the interface that owns `external_ip`, at most 1500.
base::Result<std::uint16_t> detect_mtu(Netlink& route, const std::string& external_ip);
// ip_forward, and with IPv6 its forwarding; interfaces that learn routes from advertisements keep
// doing so.
base::Result<void> enable_forwarding(bool v6);
// Switches IPv6 off in the network namespace of the calling thread (NET-08). Nothing to do on a
// kernel without it.
base::Result<void> disable_ipv6();
// The host's end of a link learns nothing from who is behind it (NET-03); what rtnetlink cannot
// set.
base::Result<void> refuse_advertisements(const std::string& interface);

std::string hosts_text(const Config& config, const Lease& lease, std::string_view hostname);
// Of a container without a network: its name is its own loopback.
std::string hosts_text_of_loopback(const Config& config, std::string_view hostname);
// `host_text`: the host's resolv.conf.
std::string resolv_text(const Config& config, const Lease& lease, std::string_view host_text);

struct Resolvers {
    std::vector<Address> addresses;
    bool on_gateway = false;  // the host's only nameserver is its own 127.0.0.x
};

Resolvers resolvers_of(const Config& config, std::string_view host_text);
std::string read_host_resolv();

}  // namespace garden::net
