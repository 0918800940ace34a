#include "tests/unit/brain_receptor/fixture.hpp"

#include <catch2/catch.hpp>

namespace test {

using namespace std::chrono_literals;

std::string Answer::name() const {
    const auto value = nlohmann::json::parse(body, nullptr, false);
    return value.is_object() ? value.value("name", "") : "";
}

std::string Answer::message() const {
    const auto value = nlohmann::json::parse(body, nullptr, false);
    return value.is_object() ? value.value("message", "") : "";
}

Served::Served(
        const brain::receptor::Settings& settings,
        const std::function<void(base::http::ServerConfig&)>& change) {
    base::http::ServerConfig config;
    config.endpoints = {base::http::Endpoint::parse("tcp://127.0.0.1:0").value()};
    config.limits = brain::receptor::server_limits(settings);
    config.busy = brain::receptor::busy;
    if (change) change(config);
    auto handler = brain::receptor::make_handler(brain, settings, clock).value();
    server = base::http::Server::start(std::move(config), std::move(handler)).value();
}

Served::~Served() {
    (void)server->stop(0ms);
}

Answer Served::call(
        const std::string& method,
        const std::string& target,
        const std::string& body,
        const base::http::Headers& headers) const {
    base::http::Client client({.endpoint = server->endpoints()[0], .idle_connections = 0});
    base::http::ClientRequest request;
    request.method = method;
    request.target = target;
    request.headers = headers;
    request.body = body;
    auto answer = client.call(std::move(request)).value();
    return {.status = answer.status, .headers = answer.headers, .body = std::move(answer.body)};
}

base::http::EventReader Served::events() const {
    base::http::Client client({.endpoint = server->endpoints()[0], .idle_connections = 0});
    base::http::ClientRequest request;
    request.target = "/v1/events";
    auto stream = client.open(std::move(request)).value();
    REQUIRE(stream.status() == 200);
    return base::http::EventReader(std::move(stream));
}

Served::Seen Served::next(base::http::EventReader& reader) {
    const auto event = reader.next(10s);
    REQUIRE(event);
    REQUIRE(*event);
    return {.name = (*event)->name,
            .id = (*event)->id,
            .data = nlohmann::json::parse((*event)->data),
            .text = (*event)->data};
}

brain::api::LrpKey key_of(const std::string& guid, int index) {
    return {.process_guid = guid, .index = index, .domain = "domain"};
}

brain::api::InstanceKey instance_of(const std::string& guid, const std::string& cell) {
    return {.instance_guid = "instance-" + guid, .cell_id = cell};
}

brain::api::RunningLrp running_of(const std::string& guid, int index, const std::string& cell) {
    brain::api::RunningLrp running;
    running.key = key_of(guid, index);
    running.instance = instance_of(guid, cell);
    running.net_info.address = "10.0.0.7";
    running.net_info.ports = {{.container_port = 8080, .host_port = 61001}};
    return running;
}

std::string task_body(const std::string& guid, const std::string& members) {
    return R"({"task_guid":")" + guid +
           R"(","domain":"domain","rootfs":"preloaded:x","action":{"run":{"path":"ls","user":"me"}})" +
           members + "}";
}

std::string lrp_body(const std::string& guid, const std::string& members) {
    return R"({"process_guid":")" + guid +
           R"(","domain":"domain","rootfs":"preloaded:x","action":{"run":{"path":"ls","user":"me"}})" +
           members + "}";
}

void Served::desire(const std::string& guid, int instances) const {
    const auto members = R"(,"instances":)" + std::to_string(instances);
    REQUIRE(call("POST", "/v1/desired_lrps", lrp_body(guid, members)).status == 201);
}

void Served::run(const std::string& guid, int index, const std::string& cell) const {
    auto& cells = subject->cells();
    const auto running = running_of(guid, index, cell);
    REQUIRE(cells.claim_actual_lrp(running.key, running.instance));
    REQUIRE(cells.start_actual_lrp(running));
}

void Served::desire_task(const std::string& guid, const std::string& members) const {
    REQUIRE(call("POST", "/v1/tasks", task_body(guid, members)).status == 201);
}

void Served::complete_task(const std::string& guid) const {
    auto& cells = subject->cells();
    REQUIRE(cells.start_task(guid, "cell-1").value());
    REQUIRE(cells.complete_task(
            {.task_guid = guid, .cell_id = "cell-1", .failed = false, .result = "done"}));
}

}  // namespace test
