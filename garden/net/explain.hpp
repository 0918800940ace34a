// Why a container cannot connect to an address: from the host's policy, the other containers and
// the container's own rules to the verdict, in the order in which table.cpp asks. Pure: asks no
// kernel. Used by garden/engine.
#pragma once

#include "garden/net/address.hpp"
#include "garden/net/out_rules.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace garden::net {

// What is known; addresses of both families in one list.
struct ConnectFacts {
    bool network = true;  // false: it has its loopback only
    bool plugin = false;  // a network plugin connects it: its rules are not known
    // The host's policy (table.hpp, HostPolicy).
    std::vector<Cidr> deny_networks;
    std::vector<Address> resolvers;
    bool resolver_on_gateway = false;
    bool allow_host_access = false;
    bool egress_deny = false;
    std::vector<Address> host;             // every address that is the host's own
    std::optional<Address> external;       // where mapped ports are reached
    std::set<std::uint16_t> mapped_ports;  // of all containers
    std::vector<Address> containers;       // others
    // The container.
    std::vector<Address> own;
    bool has_v6 = false;
    std::optional<Cidr> shared_subnet;  // with other containers, over one bridge
    bool isolated = true;               // … whose ports do not reach each other
    std::vector<OutRule> rules;         // in the order they were given
};

struct ConnectQuestion {
    Address destination;
    std::uint16_t port = 0;  // tcp and udp
    OutProtocol protocol = OutProtocol::tcp;
};

struct ConnectAnswer {
    bool allowed = false;
    std::string reason;  // as in the log of connections: container, network, metadata, host
    std::string rule;    // of the security model: "NET-05"
    std::string because;
    std::string remedy;
    std::string seen_as;  // what connect() gives for tcp
};

ConnectAnswer explain(const ConnectQuestion& question, const ConnectFacts& facts);

// "tcp", "udp", "icmp", "icmpv6"; "" = tcp.
base::Result<OutProtocol> parse_protocol(std::string_view text);
// "10.0.0.1:80", "[fd00::1]:80"; with icmp an address alone.
base::Result<ConnectQuestion> parse_connect(std::string_view text, OutProtocol protocol);
std::string to_string(const ConnectQuestion& question);

}  // namespace garden::net
