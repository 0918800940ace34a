// POST /cloche/v1/containers/:handle/explain: why something is refused (docs/api.md).
#include "garden/api/explain.hpp"
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

namespace garden::server {

using base::http::Request;
using base::http::Response;

namespace {

api::ExplainAnswer to_wire(ExplainReport report) {
    api::ExplainAnswer out;
    for (auto& entry : report.explanations)
        out.explanations.push_back(
                {.question = std::move(entry.question),
                 .count = entry.count,
                 .refused = entry.refused,
                 .layer = std::move(entry.layer),
                 .rule = std::move(entry.rule),
                 .seen_as = std::move(entry.seen_as),
                 .because = std::move(entry.because),
                 .remedy = std::move(entry.remedy)});
    out.notes = std::move(report.notes);
    return out;
}

}  // namespace

void Service::add_explain_routes() {
    add("POST", "/cloche/v1/containers/:handle/explain", &Service::explain, Touch::no);
}

Response Service::explain(Request& request, const Handle& handle) {
    auto body = json_body<api::ExplainRequest>(request);
    if (!body) return refuse_body(request, body.error());
    auto report = engine_.explain(
            handle, {.call = std::move(body->call),
                     .path = std::move(body->path),
                     .device = std::move(body->device),
                     .connect = std::move(body->connect),
                     .access = std::move(body->access),
                     .protocol = std::move(body->protocol),
                     .process = std::move(body->process)});
    if (!report) return refuse(request, report.error());
    return json_answer(to_wire(std::move(*report)));
}

}  // namespace garden::server
