// Every route of actual LRPs, and which record of an index is shown (receptor-api §5).
#include "brain/receptor/responses.hpp"
#include "fixture.hpp"

#include <catch2/catch.hpp>

using namespace test;
using brain::api::ActualLrp;
using brain::api::LrpState;
using brain::api::Presence;

TEST_CASE("a running instance comes back in the shape of 2015 byte for byte") {
    const Served served;
    served.desire("p");
    served.run("p");
    const auto answer = served.get("/v1/actual_lrps/p/index/0");
    REQUIRE(answer.status == 200);
    CHECK(answer.header("Content-Type") == "application/json");
    const auto lrp = answer.json();
    CHECK(lrp["since"].is_number_unsigned());
    CHECK(answer.body ==
          R"({"process_guid":"p","instance_guid":"instance-p","cell_id":"cell-1",)"
          R"("domain":"domain","index":0,"address":"10.0.0.7",)"
          R"("ports":[{"container_port":8080,"host_port":61001}],"state":"RUNNING","since":)" +
                  lrp["since"].dump() +
                  R"(,"crash_count":0,"evacuating":false,"modification_tag":{"epoch":)" +
                  lrp["modification_tag"]["epoch"].dump() + R"(,"index":)" +
                  lrp["modification_tag"]["index"].dump() + "}}");
}

TEST_CASE("an unclaimed instance has empty keys and null ports") {
    const Served served;
    served.desire("p");
    const auto lrp = served.get("/v1/actual_lrps/p/index/0").json();
    CHECK(lrp["state"] == "UNCLAIMED");
    CHECK(lrp["instance_guid"] == "");
    CHECK(lrp["cell_id"] == "");
    CHECK(lrp["address"] == "");
    CHECK(lrp["ports"].is_null());
    CHECK_FALSE(lrp.contains("crash_reason"));
    CHECK_FALSE(lrp.contains("placement_error"));
}

TEST_CASE("claims and crashes show") {
    const Served served;
    served.desire("p");
    auto& cells = served.subject->cells();
    REQUIRE(cells.claim_actual_lrp(key_of("p"), instance_of("p", "c")));
    CHECK(served.get("/v1/actual_lrps/p/index/0").json()["state"] == "CLAIMED");
    for (int i = 0; i < 3; ++i) {
        if (i > 0) REQUIRE(cells.claim_actual_lrp(key_of("p"), instance_of("p", "c")));
        REQUIRE(cells.crash_actual_lrp(key_of("p"), instance_of("p", "c"), "it broke"));
    }
    const auto lrp = served.get("/v1/actual_lrps/p/index/0").json();
    CHECK(lrp["state"] == "CRASHED");
    CHECK(lrp["crash_count"] == 3);
    CHECK(lrp["crash_reason"] == "it broke");
    CHECK(lrp["cell_id"] == "");
}

TEST_CASE("actual LRPs are listed by domain and by process, and an unknown process has none") {
    const Served served;
    CHECK(served.get("/v1/actual_lrps").body == "[]");
    served.desire("a", 2);
    served.desire("b", 1);
    CHECK(served.get("/v1/actual_lrps").json().size() == 3);
    CHECK(served.get("/v1/actual_lrps?domain=domain").json().size() == 3);
    CHECK(served.get("/v1/actual_lrps?domain=other").body == "[]");
    CHECK(served.get("/v1/actual_lrps/a").json().size() == 2);
    const auto unknown = served.get("/v1/actual_lrps/nobody");
    CHECK(unknown.status == 200);
    CHECK(unknown.body == "[]");
}

TEST_CASE("an index that is not there is 404 with the body null") {
    const Served served;
    served.desire("p");
    for (const std::string target :
         {"/v1/actual_lrps/p/index/7", "/v1/actual_lrps/x/index/0", "/v1/actual_lrps/p/index/-1"}) {
        const auto answer = served.get(target);
        CHECK(answer.status == 404);
        CHECK(answer.body == "null");
        CHECK(answer.header("Content-Type") == "application/json");
    }
}

TEST_CASE("an index that is no number is InvalidRequest") {
    const Served served;
    for (const std::string method : {"GET", "DELETE"})
        for (const std::string index : {"x", "1x", "", "99999999999"}) {
            const auto answer = served.call(method, "/v1/actual_lrps/p/index/" + index);
            CHECK(answer.status == 400);
            CHECK(answer.name() == "InvalidRequest");
        }
}

TEST_CASE("killing an index retires it and does not care how that went") {
    Served served;
    served.desire("p");
    served.brain.fail_next("retire_actual_lrp", base::Error{.text = "no cell"});
    CHECK(served.call("DELETE", "/v1/actual_lrps/p/index/0").status == 204);
    const auto answer = served.call("DELETE", "/v1/actual_lrps/p/index/0");
    CHECK(answer.status == 204);
    CHECK(answer.body.empty());
    CHECK(served.brain.calls("retire_actual_lrp") == 2);
    const auto gone = served.call("DELETE", "/v1/actual_lrps/x/index/3");
    CHECK(gone.status == 404);
    CHECK(gone.body ==
          R"({"name":"ActualLRPIndexNotFound","message":"index 3 of process 'x' not found"})");
}

TEST_CASE("of an instance and an evacuating one that is shown which serves") {
    const Served served;
    served.desire("p");
    served.run("p");
    REQUIRE(served.subject->cells().evacuate_running_actual_lrp(running_of("p")).value());
    auto lrp = served.get("/v1/actual_lrps/p/index/0").json();
    CHECK(lrp["evacuating"] == true);
    CHECK(lrp["state"] == "RUNNING");
    CHECK(lrp["cell_id"] == "cell-1");
    CHECK(served.get("/v1/actual_lrps/p").json().size() == 1);
    auto elsewhere = running_of("p", 0, "cell-2");
    elsewhere.instance.instance_guid = "second";
    REQUIRE(served.subject->cells().claim_actual_lrp(elsewhere.key, elsewhere.instance));
    CHECK(served.get("/v1/actual_lrps/p/index/0").json()["evacuating"] == true);
    REQUIRE(served.subject->cells().start_actual_lrp(elsewhere));
    lrp = served.get("/v1/actual_lrps/p").json()[0];
    CHECK(lrp["evacuating"] == false);
    CHECK(lrp["instance_guid"] == "second");
}

TEST_CASE("flattening follows the states of all three records") {
    const auto row = [](Presence presence, LrpState state) {
        auto lrp = std::make_shared<ActualLrp>();
        lrp->presence = presence;
        lrp->state = state;
        return lrp;
    };
    using enum LrpState;

    struct Case {
        LrpState ordinary, evacuating, suspect;  // invalid: not there
        Presence shown;
    };

    const auto o = Presence::ordinary;
    const auto e = Presence::evacuating;
    const auto s = Presence::suspect;
    for (const auto& one : std::vector<Case>{
                 {running, invalid, invalid, o},
                 {invalid, running, invalid, e},
                 {invalid, invalid, running, s},
                 {running, running, invalid, o},
                 {crashed, running, invalid, o},
                 {unclaimed, running, invalid, e},
                 {claimed, running, invalid, e},
                 {running, invalid, running, o},
                 {unclaimed, invalid, running, s},
                 {claimed, invalid, running, s},
                 {unclaimed, invalid, claimed, s},
                 {claimed, invalid, claimed, o},
                 {unclaimed, running, running, s},
                 {invalid, running, running, s},
                 {crashed, invalid, running, s}}) {
        brain::api::ActualLrpGroup group;
        if (one.ordinary != invalid) group.ordinary = row(o, one.ordinary);
        if (one.evacuating != invalid) group.evacuating = row(e, one.evacuating);
        if (one.suspect != invalid) group.suspect = row(s, one.suspect);
        const auto shown = brain::receptor::flatten(group);
        REQUIRE(shown);
        CHECK(shown->presence == one.shown);
    }
    CHECK_FALSE(brain::receptor::flatten({}));
}

TEST_CASE("a state that 2015 had not prints INVALID and ports of the proxy only when set") {
    ActualLrp lrp;
    lrp.placement_error = "no room";
    lrp.net_info.ports = {{.container_port = 80}, {.container_port = 81, .host_tls_proxy_port = 9}};
    const auto text = brain::receptor::json_of(lrp);
    CHECK(text ==
          R"({"process_guid":"","instance_guid":"","cell_id":"","domain":"","index":0,)"
          R"("address":"","ports":[{"container_port":80},{"container_port":81,"host_tls_proxy_port":9}],)"
          R"("state":"INVALID","placement_error":"no room","since":0,"crash_count":0,)"
          R"("evacuating":false,"modification_tag":{"epoch":"","index":0}})");
}
