#include "garden/api/connections.hpp"

#include "base/http/message.hpp"
#include "base/json_describe.hpp"
#include "garden/api/client.hpp"
#include "garden/api/client_detail.hpp"

namespace garden::api {

namespace {

template <class V>
void describe(V& v, RuleCount& o) {
    v.always("rule", o.rule);
    v.always("verdict", o.verdict);
    v.always("packets", o.packets);
    v.always("bytes", o.bytes);
}

template <class V>
void describe(V& v, Connection& o) {
    v.always("sequence", o.sequence);
    v.always("first", o.first);
    v.always("last", o.last);
    v.always("direction", o.direction);
    v.always("verdict", o.verdict);
    v.always("reason", o.reason);
    v.always("protocol", o.protocol);
    v.always("source", o.source);
    v.always("destination", o.destination);
    v.always("source_port", o.source_port);
    v.always("destination_port", o.destination_port);
    v.always("icmp_type", o.icmp_type);
    v.always("icmp_code", o.icmp_code);
    v.always("source_mac", o.source_mac);
    v.always("count", o.count);
}

template <class V>
void describe(V& v, Connections& o) {
    v.always("rules", o.rules);
    v.always("denied", o.denied);
    v.always("allowed", o.allowed);
    v.always("suppressed", o.suppressed);
    v.always("forgotten", o.forgotten);
    v.always("lost", o.lost);
}

template <class V>
void describe(V& v, NetworkRepair& o) {
    v.always("time", o.time);
    v.always("reason", o.reason);
}

template <class V>
void describe(V& v, NetworkState& o) {
    v.always("repairs", o.repairs);
    v.always("last_repair", o.last_repair);
    v.always("unrepaired", o.unrepaired);
    v.always("unlogged", o.unlogged);
    v.always("unended_flows", o.unended_flows);
    v.always("log_group", o.log_group);
    v.always("lost", o.lost);
    v.always("denied", o.denied);
}

}  // namespace

BASE_JSON_DESCRIBED(RuleCount)
BASE_JSON_DESCRIBED(Connection)
BASE_JSON_DESCRIBED(Connections)
BASE_JSON_DESCRIBED(NetworkRepair)
BASE_JSON_DESCRIBED(NetworkState)

base::Result<Connections> Client::connections(std::string_view handle) {
    const auto body = TRY(call(
            "GET", "/cloche/v1/containers/" + base::http::percent_encode(handle) + "/connections"));
    return base::json::decode<Connections>(body, base::json::Rest::ignore, kAnswerLimits);
}

base::Result<NetworkState> Client::network() {
    const auto body = TRY(call("GET", "/cloche/v1/network"));
    return base::json::decode<NetworkState>(body, base::json::Rest::ignore, kAnswerLimits);
}

}  // namespace garden::api
