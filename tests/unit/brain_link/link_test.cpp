// Cell and brain over real HTTP: every call of the interface means the same on both ends, refusals
// keep their names, and a cell finds the brain that leads.
#include "base/clock.hpp"
#include "base/fail.hpp"
#include "base/http/server.hpp"
#include "brain/api/digest.hpp"
#include "brain/link/client.hpp"
#include "brain/link/messages.hpp"
#include "brain/link/routes.hpp"
#include "rep/core/memory_brain.hpp"

#include <catch2/catch.hpp>

using namespace brain;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<base::http::Server> serve(base::http::Handler handler) {
    base::http::Endpoint endpoint;
    endpoint.kind = base::http::Endpoint::Kind::tcp;
    endpoint.host = "127.0.0.1";
    base::http::ServerConfig config;
    config.endpoints = {endpoint};
    return base::http::Server::start(std::move(config), std::move(handler)).value();
}

struct Pair {
    base::SystemClock clock;
    rep::core::MemoryBrain far{clock};
    std::unique_ptr<base::http::Server> server;
    std::unique_ptr<link::HttpBrain> near;

    Pair() {
        base::http::Router router;
        link::add_routes(router, far);
        server = serve(std::move(router));
        near = std::make_unique<link::HttpBrain>(
                link::HttpBrainConfig{.brains = {{.endpoint = server->endpoints()[0]}}});
    }
};

api::DesiredLrp desired(const std::string& guid, int instances) {
    api::DesiredLrp lrp;
    lrp.process_guid = guid;
    lrp.domain = "apps";
    lrp.instances = instances;
    lrp.definition.rootfs = "preloaded:busybox";
    lrp.definition.env = {{.name = "TEXT", .value = "line\nwith \"quotes\" and ü"}};
    lrp.routes = {{"router", R"({"b":1,"a":[2]})"}};
    return lrp;
}

api::LrpKey key(const std::string& guid, int index) {
    return {.process_guid = guid, .index = index, .domain = "apps"};
}

api::RunningLrp running(const std::string& guid, int index, const std::string& instance) {
    return {.key = key(guid, index),
            .instance = {.instance_guid = instance, .cell_id = "cell-1"},
            .net_info =
                    {.address = "10.0.0.1",
                     .ports = {{.container_port = 8080, .host_port = 61001}},
                     .instance_address = "10.255.0.2",
                     .preferred_address = api::PreferredAddress::host},
            .internal_routes = {{.hostname = "app.internal"}},
            .metric_tags = {{"source_id", guid}},
            .routable = false,
            .availability_zone = "z9"};
}

}  // namespace

TEST_CASE("a claim, a start and a crash over HTTP leave the records that they leave at home") {
    Pair pair;
    REQUIRE(pair.far.desire_lrp(desired("web", 2)));
    const api::InstanceKey instance{.instance_guid = "i-0", .cell_id = "cell-1"};
    REQUIRE(pair.near->claim_actual_lrp(key("web", 0), instance));
    CHECK(pair.near->actual_lrps("cell-1").value().at(0).state == api::LrpState::claimed);

    REQUIRE(pair.near->start_actual_lrp(running("web", 0, "i-0")));
    const auto rows = pair.near->actual_lrps("cell-1").value();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0] == pair.far.actual_lrps("cell-1").value()[0]);
    CHECK(rows[0].net_info == running("web", 0, "i-0").net_info);
    CHECK(rows[0].routable == false);
    CHECK(rows[0].availability_zone == "z9");

    REQUIRE(pair.near->crash_actual_lrp(key("web", 0), instance, "Exited with status 17"));
    CHECK(pair.far.all_lrps().at(0).crash_reason == "Exited with status 17");
    CHECK(pair.near->desired_lrp("web").value() == pair.far.desired_lrp("web").value());
}

TEST_CASE("removal and evacuation over HTTP answer as at home") {
    Pair pair;
    REQUIRE(pair.far.desire_lrp(desired("web", 1)));
    const api::InstanceKey instance{.instance_guid = "i-0", .cell_id = "cell-1"};
    REQUIRE(pair.near->start_actual_lrp(running("web", 0, "i-0")));
    CHECK(pair.near->evacuate_running_actual_lrp(running("web", 0, "i-0")).value());
    CHECK(pair.near->remove_evacuating_actual_lrp(key("web", 0), instance));

    REQUIRE(pair.near->claim_actual_lrp(key("web", 0), instance));
    CHECK_FALSE(pair.near->evacuate_claimed_actual_lrp(key("web", 0), instance).value());
    REQUIRE(pair.near->start_actual_lrp(running("web", 0, "i-0")));
    CHECK_FALSE(pair.near->evacuate_crashed_actual_lrp(key("web", 0), instance, "gone").value());
    REQUIRE(pair.near->start_actual_lrp(running("web", 0, "i-0")));
    CHECK_FALSE(pair.near->evacuate_stopped_actual_lrp(key("web", 0), instance).value());
    REQUIRE(pair.near->start_actual_lrp(running("web", 0, "i-0")));
    CHECK(pair.near->remove_actual_lrp(key("web", 0), instance));
    CHECK(pair.far.all_lrps().empty());
}

TEST_CASE("a task over HTTP is started once, completed with its bytes, or rejected") {
    Pair pair;
    api::Task task;
    task.task_guid = "t-1";
    task.domain = "apps";
    REQUIRE(pair.far.desire_task(task));
    CHECK(pair.near->start_task("t-1", "cell-1").value());
    CHECK_FALSE(pair.near->start_task("t-1", "cell-1").value());
    CHECK(pair.near->tasks("cell-1").value().size() == 1);
    CHECK(pair.near->task("t-1").value() == pair.far.task("t-1").value());
    const std::string result = std::string(api::kMaxResult - 4, 'x') + "\n\"\t\x01";
    REQUIRE(pair.near->complete_task(
            {.task_guid = "t-1",
             .cell_id = "cell-1",
             .failed = true,
             .failure_reason = "it broke",
             .result = result}));
    CHECK(pair.far.task("t-1").value().result == result);
    CHECK(pair.far.task("t-1").value().failed);

    task.task_guid = "t-2";
    REQUIRE(pair.far.desire_task(task));
    REQUIRE(pair.near->reject_task("t-2", "no room"));
    CHECK(pair.far.task("t-2").value().rejection_reason == "no room");
}

TEST_CASE("an unchanged cell's round over HTTP carries no record") {
    Pair pair;
    REQUIRE(pair.far.desire_lrp(desired("web", 1)));
    REQUIRE(pair.near->start_actual_lrp(running("web", 0, "i-0")));
    const auto first = pair.near->sync("cell-1", "").value();
    CHECK_FALSE(first.unchanged);
    const auto digest = api::digest("cell-1", first.lrps, first.tasks);
    const auto second = pair.near->sync("cell-1", digest).value();
    CHECK(second.unchanged);
    CHECK(second.lrps.empty());
}

TEST_CASE("a cell's lease over HTTP belongs to its owner") {
    Pair pair;
    api::CellPresence presence;
    presence.cell_id = "cell-1";
    presence.capacity = {.memory_mb = 1'024, .disk_mb = 2'048, .containers = 10};
    presence.rootfs_providers = {{.name = "docker", .properties = {}}};
    REQUIRE(pair.near->put_presence(presence, "life-1", 5s));
    CHECK(pair.far.cells().at(0) == presence);
    const auto other = pair.near->put_presence(presence, "life-2", 5s);
    REQUIRE_FALSE(other);
    CHECK(api::error_name(other.error()) == api::kResourceConflict);
    REQUIRE(pair.near->release_presence("cell-1", "life-1"));
    CHECK(pair.far.cells().empty());
}

TEST_CASE("a refusal keeps its name, its number and its kind over HTTP") {
    Pair pair;
    const api::InstanceKey instance{.instance_guid = "i-0", .cell_id = "cell-1"};
    const auto home = pair.far.claim_actual_lrp(key("nobody", 0), instance);
    const auto away = pair.near->claim_actual_lrp(key("nobody", 0), instance);
    REQUIRE_FALSE(away);
    CHECK(away.error().text == home.error().text);
    CHECK(away.error().kind == home.error().kind);
    CHECK(api::error_number(away.error()) == 13);
    for (const auto& known : api::named_errors()) {
        const auto error = api::make_error(known.name, "why");
        const auto back = link::to_error(link::to_refusal(error), 409);
        CHECK(back.text == error.text);
        if (known.name != api::kUnknownError) CHECK(back.kind == known.kind);
    }
}

TEST_CASE("a body that is no call is refused by name and changes nothing") {
    Pair pair;
    base::http::Client client({.endpoint = pair.server->endpoints()[0]});
    base::http::ClientRequest request;
    request.method = "POST";
    request.target = "/cloche/v1/link/claim_actual_lrp";
    request.body = R"({"index": "many"})";
    const auto answer = client.call(std::move(request)).value();
    CHECK(answer.status == 400);
    CHECK(answer.body.find("InvalidRequest") != std::string::npos);
    CHECK(answer.body.find("index") != std::string::npos);
}

TEST_CASE(
        "a cell passes over brains that are away or do not lead, and stays with the one that "
        "does") {
    Pair pair;
    REQUIRE(pair.far.desire_lrp(desired("web", 1)));
    std::atomic<int> asked = 0;
    const auto standby = serve([&](base::http::Request&) {
        ++asked;
        return base::http::Response::json(
                base::json::encode(link::to_refusal(
                        base::fail(base::Errc::unavailable, "another brain leads"))),
                503);
    });
    auto gone = serve([](base::http::Request&) { return base::http::Response::text(200, ""); });
    const auto nobody = gone->endpoints()[0];
    (void)gone->stop(0ms);
    link::HttpBrain brain(
            {.brains = {
                     {.endpoint = nobody},
                     {.endpoint = standby->endpoints()[0]},
                     {.endpoint = pair.server->endpoints()[0]}}});
    CHECK(brain.desired_lrp("web"));
    CHECK(asked == 1);
    CHECK(brain.desired_lrp("web"));
    CHECK(asked == 1);

    SECTION("and when none of them leads, says so as something that passes") {
        (void)pair.server->stop(0ms);
        const auto answer = brain.desired_lrp("web");
        REQUIRE_FALSE(answer);
        CHECK(answer.error().kind == base::Errc::unavailable);
        CHECK(api::error_name(answer.error()).empty());
    }
}
