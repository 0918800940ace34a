// The HTTP API as bytes: the routes over a real listener, the typed client, what old and foreign
// senders write.
#include "base/http/server.hpp"

#include "rep/api/client.hpp"
#include "rep/server/routes.hpp"
#include "tests/unit/rep/flaky_brain.hpp"
#include "tests/unit/rep/worlds.hpp"

#include <catch2/catch.hpp>

using namespace test;

namespace {

struct Served {
    base::SystemClock clock;
    rep::core::MemoryBrain memory{clock};
    FlakyBrain brain{memory};
    FakeExecutor executor;
    base::metrics::Registry metrics;
    rep::core::Rep rep{test::config(), executor, brain, metrics};
    std::unique_ptr<base::http::Server> server;

    explicit Served(bool admin = false) {
        base::http::ServerConfig config;
        base::http::Endpoint endpoint;
        endpoint.kind = base::http::Endpoint::Kind::tcp;
        endpoint.host = "127.0.0.1";
        config.endpoints = {endpoint};
        auto routes = admin ? rep::server::admin_routes(rep) : rep::server::network_routes(rep);
        server = base::http::Server::start(std::move(config), std::move(routes)).value();
        rep.start();
    }

    ~Served() { (void)server->stop(std::chrono::milliseconds(1'000)); }

    rep::api::Client client() { return rep::api::Client({.endpoint = server->endpoints()[0]}); }

    base::http::ClientResponse call(
            const std::string& method, const std::string& target, const std::string& body = {}) {
        base::http::Client http({.endpoint = server->endpoints()[0]});
        base::http::ClientRequest request;
        request.method = method;
        request.target = target;
        request.body = body;
        return http.call(std::move(request)).value();
    }
};

}  // namespace

TEST_CASE("the client speaks every route of a cell") {
    Served served;
    auto client = served.client();
    CHECK(client.ping());
    REQUIRE(served.memory.desire_lrp(desired("app", 1)));
    rep::api::Work work;
    work.cell_id = kCell;
    work.lrps = {lrp_work("app", 0), lrp_work("big", 0, 1'000'000)};
    const auto refused = client.perform(work);
    REQUIRE(refused);
    REQUIRE(refused->lrps.size() == 1);
    CHECK(refused->lrps[0].process_guid == "big");
    CHECK(refused->lrps[0].refusal == "insufficient resources: memory");
    CHECK(refused->cell_id == kCell);

    REQUIRE(eventually([&] {
        const auto all = served.executor.list().value();
        return all.size() == 1 && all[0].state == State::initializing;
    }));
    const auto state = client.state();
    REQUIRE(state);
    CHECK(*state == served.rep.state()->state);
    REQUIRE(state->lrps.size() == 1);
    CHECK(state->lrps[0].state == "CLAIMED");
    CHECK(state->lrps[0].needs.rootfs == "preloaded:cflinuxfs4");
    CHECK(state->rootfs_providers.at("docker").arbitrary);
    CHECK(state->rootfs_providers.at("preloaded").names.contains("cflinuxfs4"));

    const auto guid = state->lrps[0].instance_guid;
    CHECK(guid.size() == 28);
    rep::api::LrpUpdate update;
    update.instance_guid = guid;
    update.key = key();
    update.internal_routes = {{.hostname = "x.internal"}};
    CHECK(client.update_lrp(update));
    CHECK(served.executor.info(guid).internal_routes == update.internal_routes);
    const auto metrics = client.container_metrics();
    REQUIRE(metrics);
    CHECK(metrics->cell_id == kCell);
    CHECK(metrics->lrps.size() == 1);
    CHECK(client.stop_lrp("app", guid));
    const auto gone = client.stop_lrp("app", "nobody");
    REQUIRE_FALSE(gone);
    CHECK(gone.error().text.find("status 500") != std::string::npos);
    CHECK(client.cancel_task("nobody"));
    CHECK(served.call("POST", "/sim/reset").status == 500);
    CHECK(served.call("GET", "/evacuate").status == 404);  // not for the network
}

TEST_CASE("an unhealthy cell answers 503 with its whole state") {
    Served served;
    served.executor.is_healthy = false;
    const auto answer = served.call("GET", "/state");
    CHECK(answer.status == 503);
    CHECK(base::json::decode<rep::api::CellState>(answer.body)->cell_id == kCell);
    const auto state = served.client().state();
    REQUIRE_FALSE(state);
    CHECK(state.error().kind == base::Errc::unavailable);
    const auto shown = served.client().state_and_health();
    REQUIRE(shown);
    CHECK_FALSE(shown->healthy);
    CHECK(shown->state.cell_id == kCell);
    served.executor.away = true;
    CHECK(served.call("GET", "/state").status == 500);
    CHECK_FALSE(served.client().state_and_health());
}

TEST_CASE("bad work is 400, work for another cell 500, and neither changes anything") {
    Served served;
    CHECK(served.call("POST", "/work", "{").status == 400);
    CHECK(served.call("POST", "/work", R"({"LRPs":7})").status == 400);
    CHECK(served.call("POST", "/work", R"({"LRPs":[{"index":"x"}]})").status == 400);
    CHECK(served.call("POST", "/work", R"({"cell_id":"cell-2","LRPs":[],"Tasks":[]})").status ==
          500);
    CHECK(served.executor.list()->empty());
}

TEST_CASE("null lists and unknown members are taken as what they are: nothing") {
    Served served;
    REQUIRE(served.memory.desire_task(test::task("t")));
    const auto answer = served.call(
            "POST", "/work",
            R"({"LRPs":null,"Tasks":[{"TaskGuid":"t","Domain":"d","PlacementTags":null,)"
            R"("VolumeDrivers":null,"RootFs":"preloaded:cflinuxfs4","MemoryMB":1,"DiskMB":0,)"
            R"("MaxPids":0,"state":"Pending","failed":false,"of tomorrow":{"a":[1]}}],"x":1})");
    CHECK(answer.status == 200);
    CHECK(answer.body == R"({"LRPs":[],"Tasks":[]})");
    CHECK(served.executor.list()->size() == 1);
}

TEST_CASE("the admin listener evacuates and answers where to ping") {
    Served served(true);
    CHECK_FALSE(served.rep.evacuating());
    const auto answer = served.call("POST", "/evacuate");
    CHECK(answer.status == 202);
    CHECK(answer.body == R"({"ping_path":"/ping"})");
    CHECK(served.rep.evacuating());
    CHECK(served.client().evacuate().value() == "/ping");
    CHECK(served.call("GET", "/ping").status == 200);
    CHECK(served.call("GET", "/state").status == 404);
}

namespace {

// A cell of old: knows v1 at most.
std::unique_ptr<base::http::Server> old_cell(bool knows_v1, std::vector<std::string>& seen) {
    base::http::ServerConfig config;
    base::http::Endpoint endpoint;
    endpoint.kind = base::http::Endpoint::Kind::tcp;
    endpoint.host = "127.0.0.1";
    config.endpoints = {endpoint};
    return base::http::Server::start(
                   std::move(config),
                   [&seen, knows_v1](base::http::Request& request) {
                       seen.push_back(request.path);
                       const bool good = knows_v1 && request.path.starts_with("/v1/");
                       return base::http::Response::text(good ? 202 : 404, "");
                   })
            .value();
}

}  // namespace

TEST_CASE("an update falls back to v1, and a cell that knows neither has nothing to update") {
    const bool knows_v1 = GENERATE(true, false);
    std::vector<std::string> seen;
    const auto server = old_cell(knows_v1, seen);
    rep::api::Client client({.endpoint = server->endpoints()[0]});
    rep::api::LrpUpdate update;
    update.instance_guid = "i/1";
    update.key = key();
    CHECK(client.update_lrp(update));
    CHECK(seen ==
          std::vector<std::string>{"/v2/lrps/app/instances/i%2F1", "/v1/lrps/app/instances/i%2F1"});
}
