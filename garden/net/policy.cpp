#include "garden/net/policy.hpp"

#include "base/fail.hpp"
#include "garden/net/host.hpp"

#include <utility>

namespace garden::net {

namespace {

constexpr std::size_t kMaxDenyNetworks = 4096;
constexpr std::size_t kMaxDnsServers = 64;
constexpr std::uint32_t kMinHalfOpen = 2, kMaxHalfOpen = 65'536;  // slots that a hash leads to

}  // namespace

base::Result<HostPolicy> make_policy(const Config& config) {
    HostPolicy policy{
            .tag = config.tag,
            .allow_host_access = config.allow_host_access,
            .egress_deny = config.egress_deny,
            .max_connections = config.max_connections,
            .new_connections = config.new_connections,
            .new_connections_burst = config.new_connections_burst,
            .half_open_connections = config.half_open_connections,
            .udp_packets = config.udp_packets,
            .icmp_packets = config.icmp_packets};
    if (const auto slots = policy.half_open_connections;
        slots != 0 && (slots < kMinHalfOpen || slots > kMaxHalfOpen)) {
        return base::fail(
                base::Errc::invalid, "half-open connections: {}, at least {} and at most {}, or 0",
                slots, kMinHalfOpen, kMaxHalfOpen);
    }
    for (const auto* text : {&config.external_ip, &config.external_ip6}) {
        if (text->empty()) continue;
        const Address address = TRY(parse_address(*text).context("external address"));
        (address.is_v6() ? policy.external6 : policy.external4) = address;
    }
    if (config.deny_networks.size() > kMaxDenyNetworks) {
        return base::fail(
                base::Errc::invalid, "deny networks: {} given, at most {}",
                config.deny_networks.size(), kMaxDenyNetworks);
    }
    for (const std::string& text : config.deny_networks) {
        policy.deny_networks.push_back(TRY(parse_cidr(text).context("deny network")));
    }
    for (const auto* list : {&config.dns_servers, &config.additional_dns_servers}) {
        if (list->size() > kMaxDnsServers) {
            return base::fail(
                    base::Errc::invalid, "DNS servers: {} given, at most {}", list->size(),
                    kMaxDnsServers);
        }
        for (const std::string& server : *list) TRY(parse_address(server).context("DNS server"));
    }
    Resolvers resolvers = resolvers_of(config, read_host_resolv());
    policy.resolvers = std::move(resolvers.addresses);
    policy.resolver_on_gateway = resolvers.on_gateway;
    return policy;
}

}  // namespace garden::net
