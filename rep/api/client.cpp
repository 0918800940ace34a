#include "rep/api/client.hpp"

#include "base/fail.hpp"

namespace rep::api {

using base::http::percent_encode;
using base::json::encode;

namespace {

constexpr std::size_t kMaxAnswer = std::size_t{16} << 20;  // 1,000 containers with long tags

base::Error answer_error(const std::string& target, const base::http::ClientResponse& answer) {
    const auto kind = answer.status == 404   ? base::Errc::not_found
                      : answer.status == 503 ? base::Errc::unavailable
                      : answer.status < 500  ? base::Errc::invalid
                                             : base::Errc::internal;
    return base::fail(kind, "{}: status {}: {}", target, answer.status, answer.body.substr(0, 512));
}

std::string instance_path(
        std::string_view version, std::string_view process_guid, std::string_view instance_guid) {
    return base::format(
            "/{}/lrps/{}/instances/{}", version, percent_encode(process_guid),
            percent_encode(instance_guid));
}

template <class T>
base::Result<T> decode(const std::string& body) {
    return base::json::decode<T>(body, base::json::Rest::ignore, {.bytes = kMaxAnswer});
}

struct EvacuateAnswer {
    std::string ping_path;
};

base::Result<void> from_json(const base::json::Node& node, EvacuateAnswer& v) {
    base::json::Fields fields(node);
    fields.required("ping_path", v.ping_path);
    return fields.finish(base::json::Unknown::ignore);
}

}  // namespace

Client::Client(base::http::ClientConfig config, std::chrono::milliseconds timeout)
    : timeout_(timeout), http_(std::move(config)) {}

base::Result<base::http::ClientResponse> Client::call(
        std::string method, std::string target, std::string body) {
    base::http::ClientRequest request{
            .method = std::move(method),
            .target = std::move(target),
            .headers = {},
            .body = std::move(body),
            .upload = {},
            .timeout = timeout_};
    if (!request.body.empty()) request.headers.add("Content-Type", "application/json");
    return http_.call(std::move(request), kMaxAnswer);
}

base::Result<std::string> Client::good(std::string method, std::string target, std::string body) {
    auto answer = TRY(call(std::move(method), target, std::move(body)));
    if (!answer.good()) return answer_error(target, answer);
    return std::move(answer.body);
}

base::Result<void> Client::ping() {
    (void)TRY(good("GET", "/ping"));
    return base::ok;
}

base::Result<CellState> Client::state() {
    const auto body = TRY(good("GET", "/state"));
    return decode<CellState>(body).context("/state");
}

base::Result<HealthyState> Client::state_and_health() {
    const auto answer = TRY(call("GET", "/state"));
    if (!answer.good() && answer.status != 503) return answer_error("/state", answer);
    auto state = decode<CellState>(answer.body);
    // A proxy's 503 holds no state.
    if (!state) return answer_error("/state", answer);
    return HealthyState{.state = std::move(*state), .healthy = answer.good()};
}

base::Result<Work> Client::perform(const Work& work) {
    const auto body = TRY(good("POST", "/work", encode(work)));
    return decode<Work>(body).context("/work");
}

base::Result<void> Client::stop_lrp(std::string_view process_guid, std::string_view instance_guid) {
    (void)TRY(good("POST", instance_path("v1", process_guid, instance_guid) + "/stop"));
    return base::ok;
}

base::Result<void> Client::update_lrp(const LrpUpdate& update) {
    const auto body = encode(update);
    for (const auto* version : {"v2", "v1"}) {
        const auto target = instance_path(version, update.key.process_guid, update.instance_guid);
        const auto answer = TRY(call("PUT", target, body));
        if (answer.good()) return base::ok;
        if (answer.status != 404) return answer_error(target, answer);
    }
    return base::ok;
}

base::Result<void> Client::cancel_task(std::string_view task_guid) {
    (void)TRY(good("POST", "/v1/tasks/" + percent_encode(task_guid) + "/cancel"));
    return base::ok;
}

base::Result<ContainerMetrics> Client::container_metrics() {
    const auto body = TRY(good("GET", "/container_metrics"));
    return decode<ContainerMetrics>(body).context("/container_metrics");
}

base::Result<std::string> Client::evacuate() {
    const auto body = TRY(good("POST", "/evacuate"));
    return TRY(decode<EvacuateAnswer>(body)).ping_path;
}

}  // namespace rep::api
