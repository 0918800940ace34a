// What the network proves, as `GET /cloche/v1/containers/:handle/connections` and `GET
// /cloche/v1/network` answer it (NET-07, NET-15). Used by garden/server and the client. All names
// snake_case, all members always present.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace garden::api {

struct RuleCount {
    std::string rule;
    std::string verdict;  // allowed, denied
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

// Fields of the packet are the container's words; one that a packet does not have is "" or -1.
struct Connection {
    std::uint64_t sequence = 0;
    std::string first;  // RFC 3339
    std::string last;
    std::string direction;  // in, out
    std::string verdict;    // allowed, denied
    std::string reason;
    std::string protocol;
    std::string source, destination;
    std::int32_t source_port = -1, destination_port = -1;
    std::int32_t icmp_type = -1, icmp_code = -1;
    std::string source_mac;
    std::uint64_t count = 0;
};

struct Connections {
    std::vector<RuleCount> rules;
    std::vector<Connection> denied;
    std::vector<Connection> allowed;
    std::uint64_t suppressed = 0;
    std::uint64_t forgotten = 0;
    std::uint64_t lost = 0;
};

struct NetworkRepair {
    std::string time;  // "" = never
    std::string reason;
};

struct NetworkState {
    std::uint64_t repairs = 0;
    NetworkRepair last_repair;
    std::string unrepaired;
    std::string unlogged;
    std::string unended_flows;
    std::uint32_t log_group = 0;
    std::uint64_t lost = 0;
    std::map<std::string, std::uint64_t> denied;
};

void to_json(base::json::Writer& w, const RuleCount& v);
void to_json(base::json::Writer& w, const Connection& v);
void to_json(base::json::Writer& w, const Connections& v);
void to_json(base::json::Writer& w, const NetworkRepair& v);
void to_json(base::json::Writer& w, const NetworkState& v);

base::Result<void> from_json(const base::json::Node& node, RuleCount& v);
base::Result<void> from_json(const base::json::Node& node, Connection& v);
base::Result<void> from_json(const base::json::Node& node, Connections& v);
base::Result<void> from_json(const base::json::Node& node, NetworkRepair& v);
base::Result<void> from_json(const base::json::Node& node, NetworkState& v);

}  // namespace garden::api
