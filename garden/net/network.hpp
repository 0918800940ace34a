// The built-in network: addresses, one routed veth pair per container, host policy, hosts and
// resolv.conf. Used by garden/engine.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/net/evidence.hpp"
#include "garden/net/out_rules.hpp"
#include "garden/net/port_mapping.hpp"
#include "garden/net/shaping.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace garden::net {

struct Config {
    std::string pool = "10.254.0.0/22";  // handed out as /30, lowest first (garden-behaviours C.1)
    std::string pool6;  // "" = containers have no IPv6; "fd00:.../48" hands out /126
    std::string tag;    // at most two characters, in every interface and table name
    std::vector<std::string> deny_networks;  // CIDR; refused unless a rule allows
    bool allow_host_access = false;
    std::string external_ip;                // "" = detected
    std::string external_ip6;               // "" = detected when there is a pool6
    std::uint32_t port_pool_start = 61001;  // NetIn takes its ports from here
    std::uint32_t port_pool_size = 4534;
    std::string port_file;     // keeps the order of the port pool over a restart; "" = nothing does
    bool egress_deny = false;  // NET-06: containers reach only what their rules allow
    // NET-11, of each container; 0 = no limit.
    std::uint32_t max_connections = 8192;
    std::uint32_t new_connections = 500;  // per second
    std::uint32_t new_connections_burst = 1000;
    std::uint32_t half_open_connections = 512;  // opened by TCP and not answered yet
    std::uint32_t udp_packets = 100'000;        // per second, as many again at once
    std::uint32_t icmp_packets = 1000;
    std::uint16_t mtu = 0;  // 0 = of the interface that owns external_ip, at most 1500
    std::vector<std::string> dns_servers;
    std::vector<std::string> additional_dns_servers;
    std::vector<std::string> additional_host_entries;
    bool isolate_shared_subnets = true;  // NET-01; false: containers of one requested subnet reach
                                         // each other, as in Garden
    // Told of every repair (NET-15), from a thread of the network: `reason` says what was changed
    // and by whom.
    std::function<void(const std::string& reason)> on_repair;
};

// Addresses of one container; a plain value kept in the depot.
struct Lease {
    std::string id;       // 11 lower-case base-32 characters: names interfaces and chains (NET-17)
    std::string subnet;   // "10.254.0.0/30"
    std::string host_ip;  // gateway
    std::string container_ip;
    std::uint8_t prefix = 30;
    std::string host_ip6;  // "" without IPv6
    std::string container_ip6;
    std::uint8_t prefix6 = 126;
    std::string host_interface;
    std::string container_interface;
    std::string bridge;  // "" = routed; set when containers share a requested subnet
    std::string external_ip;
    std::uint16_t mtu = 1500;
    std::vector<PortMapping> ports;  // in the order they were asked for
    Shaping shaping;
};

struct Counters {
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
};

class Network {
  public:
    // Makes (or re-reads) the daemon's nft table and host settings: ip_forward, masquerade, default
    // policy (C.3, NET-04, NET-05).
    static base::Result<std::unique_ptr<Network>> start(Config config);
    virtual ~Network() = default;

    // Reserves addresses. `request`: "", "a.b.c.d" or "a.b.c.d/n" with the error texts of
    // garden-api §3.
    virtual base::Result<Lease> lease(std::string_view request) = 0;
    virtual base::Result<void> adopt(
            const Lease& lease) = 0;  // after a restart: in use, never handed out
    // Idempotent. The kernel's list of connections is walked once for all of them: who has several
    // gives them back together.
    virtual void release_all(std::span<const Lease> leases) = 0;

    void release(const Lease& lease) { release_all(std::span(&lease, 1)); }

    // Puts a veth end into `network_namespace` and configures it (addresses, routes, lo, MTU);
    // rules come first (18.4).
    virtual base::Result<void> connect(const Lease& lease, base::FdRef network_namespace) = 0;
    // Lets a connected container out, besides what the policy of the host allows: all or none of
    // the rules, at once. More than kMaxCompiledRules is Errc::invalid.
    virtual base::Result<void> allow(const Lease& lease, std::span<const OutRule> rules) = 0;
    // These rules instead of all that it has, in one transaction; flows that they no longer allow
    // end behind it, within a second.
    virtual base::Result<void> replace(const Lease& lease, std::span<const OutRule> rules) = 0;
    // Holds both directions of a connected container to `lease.shaping`, or to nothing any more.
    virtual base::Result<void> shape(const Lease& lease, base::FdRef network_namespace) = 0;
    // Keeps a port of the external address for the container; 0 as `host_port` takes the next of
    // the pool, 0 as `container_port` means the same number. It leads nowhere until map_ports.
    // Errc::conflict when a container or a service of the host has it.
    virtual base::Result<PortMapping> reserve_port(
            const Lease& lease, std::uint32_t host_port, std::uint32_t container_port) = 0;
    virtual void release_port(const Lease& lease, const PortMapping& mapping) = 0;
    // Lets the ports of `lease` lead to its container, all or none; those that do already stay.
    virtual base::Result<void> map_ports(const Lease& lease) = 0;
    // Instead of connect, for a container that has no lease: lo and nothing else.
    virtual base::Result<void> isolate(base::FdRef network_namespace) = 0;
    // Removes rules and map elements; the kernel takes the veth with the namespace (budgets: never
    // delete it first). The host's end is deleted too when `namespace_gone` says that nothing else
    // will.
    virtual base::Result<void> disconnect(const Lease& lease, bool namespace_gone) = 0;

    // After a restart, behind adopt(): the rules that the container has, so that they can be put
    // back.
    virtual base::Result<void> remember(const Lease& lease, std::span<const OutRule> rules) = 0;
    // After a restart, when all that lives is adopted and the rest is swept: what was changed while
    // nobody watched is put right (NET-15).
    virtual base::Result<void> settle() = 0;
    // What was counted and logged for a container (NET-07); of connections those that changed after
    // `after`.
    virtual base::Result<Evidence> evidence(const Lease& lease, std::uint64_t after) = 0;
    // Until something is logged after `after`, for any container, or for `patience`.
    virtual void wait_for_evidence(std::uint64_t after, std::chrono::milliseconds patience) = 0;
    virtual base::Result<Integrity> integrity() = 0;

    // nullptr: of a container that has no lease.
    virtual std::string hosts_file(const Lease* lease, std::string_view hostname) const = 0;
    virtual std::string resolv_file(const Lease* lease) const = 0;
    virtual base::Result<Counters> counters(const Lease& lease) = 0;
    virtual std::uint64_t capacity() const = 0;  // how many /30 the pool has
    virtual std::uint64_t free_subnets() const = 0;

    // Lease ids that have an interface, chain or map element on this host, for sweeping and doctor.
    virtual base::Result<std::vector<std::string>> present() = 0;
    virtual base::Result<void> sweep(std::string_view lease_id) = 0;
    // Deletes the table and what start() made (gardend cleanup, tests).
    virtual base::Result<void> tear_down() = 0;
};

}  // namespace garden::net
