#include "rep/server/routes.hpp"

namespace rep::server {

using base::http::Request;
using base::http::Response;
using base::json::encode;
using core::Rep;

namespace {

constexpr std::size_t kMaxWorkBody = std::size_t{16} << 20;  // kMaxWork elements with long tags
constexpr std::string_view kPingPath = "/ping";

Response ping(Request&) {
    return Response::text(200, "");
}

template <class T>
base::Result<T> body_of(Request& request, std::size_t limit = base::http::kMaxJsonBody) {
    const auto text = TRY(request.read_body(limit));
    return base::json::decode<T>(text, base::json::Rest::ignore, {.bytes = limit});
}

// 400 for what the caller wrote, 500 for everything else: the only two that callers tell apart.
Response failed(const base::Error& error) {
    const bool callers = error.kind == base::Errc::invalid || error.kind == base::Errc::exhausted;
    auto response = Response::error(error);
    response.status = callers ? 400 : 500;
    return response;
}

Response internal(const base::Error& error) {
    auto response = Response::error(error);
    response.status = 500;
    return response;
}

Response state(Rep& rep) {
    const auto answer = rep.state();
    if (!answer) return internal(answer.error());
    // An unhealthy cell still says what it has; the auctioneer passes it over for its status.
    return Response::json(encode(answer->state), answer->healthy ? 200 : 503);
}

Response metrics(Rep& rep) {
    const auto answer = rep.container_metrics();
    if (!answer) return internal(answer.error());
    return Response::json(encode(*answer));
}

Response work(Rep& rep, Request& request) {
    auto given = body_of<api::Work>(request, kMaxWorkBody);
    if (!given) return failed(given.error());
    const auto refused = rep.perform(std::move(*given));
    // Work for another cell is an error of the sender's view, answered 500 (executor-rep §15).
    if (!refused) return internal(refused.error());
    return Response::json(encode(*refused));
}

Response update(Rep& rep, Request& request, bool metric_tags) {
    auto given = body_of<api::LrpUpdate>(request);
    if (!given) return failed(given.error());
    // The path says which; the body of an old sender may not.
    given->key.process_guid = request.param("process_guid");
    given->instance_guid = request.param("instance_guid");
    const auto done = rep.update_lrp(*given, metric_tags);
    if (!done) return internal(done.error());
    return Response::text(202, "");
}

Response stop(Rep& rep, Request& request) {
    const auto done = rep.stop_lrp(request.param("process_guid"), request.param("instance_guid"));
    if (!done) return internal(done.error());
    return Response::text(202, "");
}

Response cancel(Rep& rep, Request& request) {
    rep.cancel_task(request.param("task_guid"));
    return Response::text(202, "");
}

Response no_simulation(Request&) {
    return Response::text(500, "not-a-simulation-rep");
}

}  // namespace

base::http::Router network_routes(Rep& rep) {
    base::http::Router router;
    router.get(std::string(kPingPath), ping)
            .get("/state", [&rep](Request&) { return state(rep); })
            .get("/container_metrics", [&rep](Request&) { return metrics(rep); })
            .post("/work", [&rep](Request& request) { return work(rep, request); })
            .put("/v2/lrps/:process_guid/instances/:instance_guid",
                 [&rep](Request& request) { return update(rep, request, true); })
            .put("/v1/lrps/:process_guid/instances/:instance_guid",
                 [&rep](Request& request) { return update(rep, request, false); })
            .post("/v1/lrps/:process_guid/instances/:instance_guid/stop",
                  [&rep](Request& request) { return stop(rep, request); })
            .post("/v1/tasks/:task_guid/cancel",
                  [&rep](Request& request) { return cancel(rep, request); })
            .post("/sim/reset", no_simulation);
    return router;
}

base::http::Router admin_routes(Rep& rep) {
    base::http::Router router;
    router.get(std::string(kPingPath), ping).post("/evacuate", [&rep](Request&) {
        rep.evacuate();
        base::json::Writer w;
        w.begin_object().member("ping_path", kPingPath).end_object();
        return Response::json(w.take(), 202);
    });
    return router;
}

}  // namespace rep::server
