// What the network can prove about a container: what its rules counted, which connections were
// refused or logged, and whether the rules are in force. Plain values. Used by network.hpp and
// everyone who shows them.
#pragma once

#include "garden/net/address.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace garden::net {

// Header fields of one packet. The container wrote every byte of it, so each field may be missing
// and none is believed.
struct PacketFields {
    std::string protocol;  // "tcp", "icmp", "ip/132", "arp", "ethertype/0x88b5"
    std::optional<Address> source, destination;
    std::optional<std::uint16_t> source_port, destination_port;
    std::optional<std::uint8_t> icmp_type, icmp_code;

    friend bool operator==(const PacketFields&, const PacketFields&) = default;
};

// Equal packets are one entry; the source port, which every attempt has anew, is the latest.
struct Connection {
    std::uint64_t sequence = 0;  // grows with every change of any entry
    std::chrono::system_clock::time_point first, last;
    bool inbound = false;
    bool allowed = false;  // logged because a rule says so
    std::string reason;    // allowed, container, network, metadata, host, inbound, forged
    PacketFields packet;
    std::string source_mac;  // of forged frames
    std::uint64_t count = 0;
};

struct RuleCount {
    std::string rule;
    bool allows = false;
    std::uint64_t packets = 0;  // those that opened a connection, or belong to none
    std::uint64_t bytes = 0;
};

struct Evidence {
    std::vector<RuleCount> rules;
    std::vector<Connection> connections;  // oldest first
    std::uint64_t suppressed = 0;         // refusals over the budget of the log; only counted
    std::uint64_t forgotten = 0;          // in entries that made room for later ones
    std::uint64_t lost = 0;  // records of this daemon that the kernel could not hand over
};

// Whether the kernel's rules are ours (NET-15).
struct Integrity {
    std::uint64_t repairs = 0;
    std::chrono::system_clock::time_point last_repair;
    std::string last_reason;  // of the last repair
    std::string unrepaired;   // "" = the rules are in force; otherwise what is wrong
    std::string unlogged;     // "" = refusals are logged; otherwise why not
    // "" = flows of containers that ended were forgotten; otherwise why the last ones may go on.
    std::string unended_flows;
    std::uint16_t log_group = 0;
    std::uint64_t lost = 0;
    std::map<std::string, std::uint64_t> refusals;  // packets by reason, since the daemon started
};

}  // namespace garden::net
