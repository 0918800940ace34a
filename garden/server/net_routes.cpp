// Mapped ports, and security groups as a whole (docs/api.md).
#include "garden/engine/out_rules.hpp"
#include "garden/server/answer.hpp"
#include "garden/server/service.hpp"

namespace garden::server {

using base::http::Request;
using base::http::Response;

Response Service::net_in(Request& request, const Handle& handle) {
    const auto body = json_body<api::NetInRequest>(request);
    if (!body) return refuse_body(request, body.error());
    const auto mapped = engine_.net_in(handle, body->host_port, body->container_port);
    if (!mapped) return refuse(request, mapped.error());
    return json_answer(api::NetInResponse{
            .host_port = mapped->host_port, .container_port = mapped->container_port});
}

Response Service::out_rules(Request& request, const Handle& handle) {
    auto rules = engine_.out_rules(handle);
    if (!rules) return refuse(request, rules.error());
    std::vector<api::NetOutRule> wire;
    for (const auto& rule : *rules) wire.push_back(garden::to_wire(rule));
    return json_answer(wire);
}

Response Service::replace_out_rules(Request& request, const Handle& handle) {
    auto wire = json_body<std::vector<api::NetOutRule>>(request);
    if (!wire) return refuse_body(request, wire.error());
    std::vector<OutRuleSpec> rules;
    for (auto& rule : *wire) rules.push_back(to_rule(std::move(rule)));
    const auto done = engine_.replace_out_rules(handle, std::move(rules));
    return done ? none() : refuse(request, done.error());
}

}  // namespace garden::server
