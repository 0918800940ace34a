// The event log's side of the API: every call that changes something is told, and auditors read
// (OBS-04).
#include "garden/server/event_routes.hpp"

#include "base/parse.hpp"
#include "garden/api/event_log.hpp"
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

namespace garden::server {

using base::http::Request;
using base::http::Response;

std::string actor_of(const base::http::Peer& peer) {
    if (peer.process)
        return base::format(
                "uid={} gid={} pid={}", peer.process->uid, peer.process->gid, peer.process->pid);
    if (peer.certificate)
        return base::format(
                "certificate={} address={}", peer.certificate->common_name, peer.address);
    return peer.address.empty() ? "unknown" : "address=" + peer.address;
}

void Service::add_event_routes() {
    add_query("GET", "/cloche/v1/audit/log", &Service::event_log);
    metrics_.ask("gardend_event_log_seq", "The last line of the event log.", {}, true, [this] {
        return static_cast<double>(engine_.events().figures().last_seq);
    });
    metrics_.ask(
            "gardend_event_log_lost_total", "Events that could not be written.", {}, true,
            [this] { return static_cast<double>(engine_.events().figures().lost); });
}

void Service::tell_call(const Request& request, const Response& response) {
    if (request.method == "GET" || request.route.empty()) return;
    engine_.events().append(
            "api.call", request.param("handle"),
            {{"method", request.method},
             {"route", request.route},
             {"status", static_cast<std::uint64_t>(response.status)},
             {"request", request.id}});
}

Response Service::event_log(Request& request) {
    std::uint64_t since = 0;
    std::size_t limit = 1000;
    if (request.query.has("since")) {
        const auto value = base::parse_number<std::uint64_t>(request.query.get("since"), "since");
        if (!value) return refuse(request, value.error());
        since = *value;
    }
    if (request.query.has("limit")) {
        const auto value = base::parse_number<std::size_t>(request.query.get("limit"), "limit");
        if (!value) return refuse(request, value.error());
        limit = *value;
    }
    auto page = engine_.events().read(since, limit);
    if (!page) return refuse(request, page.error());
    const auto figures = engine_.events().figures();
    return json_answer(api::EventLogPage{
            .lines = std::move(page->lines),
            .last_seq = page->last_seq,
            .lost = figures.lost,
            .error = figures.error,
            .key = figures.key});
}

}  // namespace garden::server
