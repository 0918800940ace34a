// What the network counted, refused and repaired (NET-07, NET-15; docs/api.md).
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "garden/api/connections.hpp"
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

#include <algorithm>
#include <array>

namespace garden::server {

using base::http::EventWriter;
using base::http::Request;
using base::http::Response;

namespace {

constexpr std::chrono::milliseconds kFollowCheck{500};  // how soon a client that left is noticed
constexpr int kChecksPerKeepAlive = 20;

std::string text_of(const std::optional<net::Address>& address) {
    return address ? to_string(*address) : "";
}

template <class Number>
std::int32_t number_of(const std::optional<Number>& number) {
    return number ? std::int32_t{*number} : -1;
}

api::Connection to_wire(const net::Connection& entry) {
    return {.sequence = entry.sequence,
            .first = base::to_rfc3339(entry.first),
            .last = base::to_rfc3339(entry.last),
            .direction = entry.inbound ? "in" : "out",
            .verdict = entry.allowed ? "allowed" : "denied",
            .reason = entry.reason,
            .protocol = entry.packet.protocol,
            .source = text_of(entry.packet.source),
            .destination = text_of(entry.packet.destination),
            .source_port = number_of(entry.packet.source_port),
            .destination_port = number_of(entry.packet.destination_port),
            .icmp_type = number_of(entry.packet.icmp_type),
            .icmp_code = number_of(entry.packet.icmp_code),
            .source_mac = entry.source_mac,
            .count = entry.count};
}

api::Connections to_wire(const net::Evidence& evidence) {
    api::Connections out;
    for (const auto& rule : evidence.rules)
        out.rules.push_back(
                {.rule = rule.rule,
                 .verdict = rule.allows ? "allowed" : "denied",
                 .packets = rule.packets,
                 .bytes = rule.bytes});
    for (const auto& entry : evidence.connections)
        (entry.allowed ? out.allowed : out.denied).push_back(to_wire(entry));
    out.suppressed = evidence.suppressed;
    out.forgotten = evidence.forgotten;
    out.lost = evidence.lost;
    return out;
}

// Every change of an entry, until the client or the container is gone.
base::Result<void> follow(EventWriter& events, Engine& engine, const Handle& handle) {
    std::uint64_t seen = 0;
    for (int quiet = 0;; ++quiet) {
        const auto evidence = TRY(engine.connections(handle, seen));
        for (const auto& entry : evidence.connections) {
            TRY(events.send("connection", base::json::encode(to_wire(entry))));
            seen = std::max(seen, entry.sequence);
            quiet = 0;
        }
        if (events.peer_gone()) return base::fail(base::Errc::cancelled, "the client went away");
        if (quiet == kChecksPerKeepAlive) {
            TRY(events.comment("nothing new"));
            quiet = 0;
        }
        engine.wait_for_connections(std::max<std::uint64_t>(seen, 1), kFollowCheck);
    }
}

}  // namespace

void Service::add_evidence_routes() {
    add("GET", "/cloche/v1/containers/:handle/connections", &Service::connections, Touch::no);
    add_query("GET", "/cloche/v1/network", &Service::network);
    const auto ask = [this](const char* name, const char* help, const base::metrics::Labels& labels,
                            auto value) {
        metrics_.ask(name, help, labels, true, [this, value] {
            const auto state = engine_.network();
            return state ? static_cast<double>(value(*state)) : 0.0;
        });
    };
    ask("gardend_network_repairs_total", "Times that changed network rules were put back.", {},
        [](const net::Integrity& state) { return state.repairs; });
    ask("gardend_connection_records_lost_total",
        "Records of refused connections that the kernel could not hand over.", {},
        [](const net::Integrity& state) { return state.lost; });
    constexpr std::array kReasons = {"container", "network", "metadata", "host",
                                     "inbound",   "limits",  "forged"};
    for (const char* reason : kReasons) {
        ask("gardend_connections_denied_total", "Packets refused, by reason.", {{"reason", reason}},
            [reason](const net::Integrity& state) {
                const auto found = state.refusals.find(reason);
                return found == state.refusals.end() ? 0 : found->second;
            });
    }
}

Response Service::connections(Request& request, const Handle& handle) {
    const auto wanted = request.query.get("follow");
    if (!wanted.empty() && wanted != "0" && wanted != "1") {
        return refuse(
                request, base::fail(
                                 base::Errc::invalid, "follow: expected 0 or 1, got \"{}\"",
                                 wanted.substr(0, 32)));
    }
    const auto found = engine_.connections(handle, 0);
    if (!found) return refuse(request, found.error());
    if (wanted != "1") return json_answer(to_wire(*found));
    // A place of its own, for as long as it follows.
    auto pass = operations_.enter(handle.get() + "/connections");
    if (!pass) return refuse(request, pass.error());
    auto held = std::make_shared<base::Gate::Pass>(std::move(*pass));
    return Response::events(
            [this, handle, held](EventWriter& events) { return follow(events, engine_, handle); });
}

Response Service::network(Request& request) {
    const auto state = engine_.network();
    if (!state) return refuse(request, state.error());
    api::NetworkState out{
            .repairs = state->repairs,
            .last_repair = {},
            .unrepaired = state->unrepaired,
            .unlogged = state->unlogged,
            .unended_flows = state->unended_flows,
            .log_group = state->log_group,
            .lost = state->lost,
            .denied = state->refusals};
    if (state->repairs > 0)
        out.last_repair = {
                .time = base::to_rfc3339(state->last_repair), .reason = state->last_reason};
    return json_answer(out);
}

}  // namespace garden::server
