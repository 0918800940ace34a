// Every route of desired LRPs (receptor-api §4).
#include "fixture.hpp"

#include <catch2/catch.hpp>

using namespace test;
using brain::api::make_error;

TEST_CASE("a desired LRP comes back in the shape of 2015 byte for byte") {
    const Served served;
    const auto made = served.call(
            "POST", "/v1/desired_lrps",
            lrp_body("p", R"(,"instances":2,"setup":{"serial":{"actions":[{"try":{"action":
               {"download":{"from":"f","to":"t","cache_key":"k","user":"u"}}}}],"log_source":"S"}},
               "monitor":{"timeout":{"action":{"run":{"path":"m","args":["-x"],"dir":"/d",
                 "env":[{"name":"N","value":"v"}],"resource_limits":{"nofile":9},"user":"u"}},
                 "timeout":1500000001}},
               "start_timeout":30,"ports":[8080,9090],"annotation":"n",
               "routes":{"b":[ 1,2 ],"a":{"z":1, "y":2}},
               "egress_rules":[{"protocol":"all","destinations":["0.0.0.0/0"],"log":true}])"));
    CHECK(made.status == 201);
    CHECK(made.body.empty());
    const auto answer = served.get("/v1/desired_lrps/p");
    REQUIRE(answer.status == 200);
    const auto tag = answer.json()["modification_tag"];
    CHECK(tag["index"] == 0);
    CHECK(answer.body ==
          R"({"process_guid":"p","domain":"domain","rootfs":"preloaded:x",)"
          R"("action":{"run":{"path":"ls","resource_limits":{},"user":"me"}},"annotation":"n",)"
          R"("cpu_weight":0,"disk_mb":0,"memory_mb":0,"privileged":false,"log_guid":"",)"
          R"("log_source":"","metrics_guid":"",)"
          R"("egress_rules":[{"protocol":"all","destinations":["0.0.0.0/0"],"log":true}],)"
          R"("instances":2,"setup":{"serial":{"actions":[{"try":{"action":{"download":)"
          R"({"from":"f","to":"t","cache_key":"k","user":"u"}}}}],"log_source":"S"}},)"
          R"("monitor":{"timeout":{"action":{"run":{"path":"m","args":["-x"],"dir":"/d",)"
          R"("env":[{"name":"N","value":"v"}],"resource_limits":{"nofile":9},"user":"u"}},)"
          R"("timeout":1500000001}},"start_timeout":30,"ports":[8080,9090],)"
          R"("routes":{"a":{"z":1, "y":2},"b":[ 1,2 ]},"modification_tag":{"epoch":")" +
                  tag["epoch"].get<std::string>() + R"(","index":0}})");
}

TEST_CASE("a desired LRP without extras has its nulls and its empty list") {
    const Served served;
    served.desire("p", 0);
    const auto lrp = served.get("/v1/desired_lrps/p").json();
    CHECK(lrp["ports"] == nlohmann::json::array());
    CHECK(lrp["setup"].is_null());
    CHECK(lrp["monitor"].is_null());
    for (const auto* name :
         {"env", "routes", "annotation", "egress_rules", "check_definition", "sidecars",
          "start_timeout_ms", "update_strategy", "image_username"})
        CHECK_FALSE(lrp.contains(name));
}

TEST_CASE("every kind of action comes back with the members of 2015") {
    const Served served;
    const std::string inner = R"({"run":{"path":"a","resource_limits":{},"user":"b"}})";
    const std::vector<std::string> shapes = {
            inner,
            R"({"download":{"artifact":"x","from":"f","to":"t","cache_key":"","log_source":"l","user":"u"}})",
            R"({"upload":{"artifact":"x","from":"f","to":"t","log_source":"l","user":"u"}})",
            R"({"timeout":{"action":)" + inner +
                    R"(,"timeout":9007199254740993,"log_source":"l"}})",
            R"({"emit_progress":{"action":)" + inner +
                    R"(,"start_message":"a","success_message":"b","failure_message_prefix":"c"}})",
            R"({"try":{"action":)" + inner + "}}",
            R"({"parallel":{"actions":[)" + inner + "," + inner + "]}}",
            R"({"serial":{"actions":[)" + inner + R"(],"log_source":"l"}})",
            R"({"codependent":{"actions":[)" + inner + "]}}"};
    int number = 0;
    for (const auto& shape : shapes) {
        const auto guid = "p" + std::to_string(number++);
        const auto made =
                served.call("POST", "/v1/desired_lrps", lrp_body(guid, R"(,"setup":)" + shape));
        REQUIRE(made.status == 201);
        const auto body = served.get("/v1/desired_lrps/" + guid).body;
        CHECK(body.find("\"setup\":" + shape + ",") != std::string::npos);
    }
}

TEST_CASE("routes survive byte for byte") {
    const Served served;
    const std::string value = "{ \"z\" : [1.0, 1e3,\t-0],\n \"a\":\"\\u0041\\/\" , \"z\": null }";
    const std::string big = "12345678901234567890123";
    REQUIRE(served.call("POST", "/v1/desired_lrps",
                        lrp_body(
                                "p", ",\"r\\u006futes\" : {\"cf-router\":" + value +
                                             ", \"n\":" + big + ",\"e\":\"}\\\"{\" , \"x\":[] }"))
                    .status == 201);
    const auto body = served.get("/v1/desired_lrps/p").body;
    CHECK(body.find(
                  R"("routes":{"cf-router":)" + value + R"(,"e":"}\"{","n":)" + big +
                  R"(,"x":[]},)") != std::string::npos);
    CHECK(served.call("PUT", "/v1/desired_lrps/p", "{\"routes\":{\"a\": [ 1 , 2 ]}}").status ==
          204);
    CHECK(served.get("/v1/desired_lrps/p").body.find("\"routes\":{\"a\":[ 1 , 2 ]},") !=
          std::string::npos);
}

TEST_CASE("routes that are no object are InvalidJSON and null is none") {
    const Served served;
    for (const std::string routes : {"[]", "7", "\"x\"", "true"})
        CHECK(served.call("POST", "/v1/desired_lrps", lrp_body("p", ",\"routes\":" + routes))
                      .name() == "InvalidJSON");
    CHECK(served.call("POST", "/v1/desired_lrps", lrp_body("p", ",\"routes\":null")).status == 201);
    CHECK_FALSE(served.get("/v1/desired_lrps/p").json().contains("routes"));
}

TEST_CASE("the limit of routes is that of today unless 2015's is chosen") {
    const auto body = lrp_body("p", ",\"routes\":{\"a\":\"" + std::string(4'095, 'x') + "\"}");
    CHECK(Served().call("POST", "/v1/desired_lrps", body).status == 201);
    brain::receptor::Settings old;
    old.limits_of_2015 = true;
    const Served served(old);
    const auto answer = served.call("POST", "/v1/desired_lrps", body);
    CHECK(answer.status == 400);
    CHECK(answer.name() == "InvalidLRP");
    CHECK(answer.message() == "Invalid field: routes");
    CHECK(answer.json()["details"][0] == "routes: 4097 bytes, the limit is 4096");
}

TEST_CASE("a second desired LRP of one guid is refused and named") {
    const Served served;
    served.desire("p");
    const auto answer = served.call("POST", "/v1/desired_lrps", lrp_body("p"));
    CHECK(answer.status == 409);
    CHECK(answer.body ==
          R"({"name":"DesiredLRPAlreadyExists","message":"desired LRP with guid 'p' already exists"})");
}

TEST_CASE("an invalid desired LRP is InvalidLRP and one that is no JSON InvalidJSON") {
    const Served served;
    const auto answer = served.call("POST", "/v1/desired_lrps", R"({"instances":-1})");
    CHECK(answer.status == 400);
    CHECK(answer.name() == "InvalidLRP");
    CHECK(answer.message() ==
          "Invalid field: domain, Invalid field: rootfs, Invalid field: instances, "
          "Invalid field: process_guid, Invalid field: action");
    for (const std::string body : {"", "nonsense", R"({"ports":[70000]})", R"({"ports":"x"})"})
        CHECK(served.call("POST", "/v1/desired_lrps", body).name() == "InvalidJSON");
}

TEST_CASE("desired LRPs are listed by domain and none is an empty list") {
    const Served served;
    CHECK(served.get("/v1/desired_lrps").body == "[]");
    served.desire("a");
    served.desire("b");
    CHECK(served.get("/v1/desired_lrps").json().size() == 2);
    CHECK(served.get("/v1/desired_lrps?domain=domain").json().size() == 2);
    CHECK(served.get("/v1/desired_lrps?domain=other").body == "[]");
}

TEST_CASE("a desired LRP that is not there is DesiredLRPNotFound on every route") {
    const Served served;
    for (const std::string method : {"GET", "PUT", "DELETE"}) {
        const auto answer = served.call(method, "/v1/desired_lrps/x", method == "PUT" ? "{}" : "");
        CHECK(answer.status == 404);
        CHECK(answer.body ==
              R"({"name":"DesiredLRPNotFound","message":"desired LRP 'x' not found"})");
    }
}

TEST_CASE("an update changes what it names and counts the tag up even when it is empty") {
    const Served served;
    REQUIRE(served.call("POST", "/v1/desired_lrps",
                        lrp_body("p", R"(,"instances":1,"annotation":"n","routes":{"a":1,"b":2})"))
                    .status == 201);
    const auto put = [&](const std::string& body) {
        const auto answer = served.call("PUT", "/v1/desired_lrps/p", body);
        CHECK(answer.status == 204);
        CHECK(answer.body.empty());
        return served.get("/v1/desired_lrps/p").json();
    };
    auto lrp = put("{}");
    CHECK(lrp["modification_tag"]["index"] == 1);
    CHECK(lrp["annotation"] == "n");
    lrp = put(R"({"instances":3})");
    CHECK(lrp["instances"] == 3);
    CHECK(lrp["routes"] == nlohmann::json({{"a", 1}, {"b", 2}}));
    lrp = put(R"({"routes":{"c":3},"annotation":""})");
    CHECK(lrp["routes"] == nlohmann::json({{"c", 3}}));
    CHECK_FALSE(lrp.contains("annotation"));
    lrp = put(R"({"instances":null,"routes":null,"annotation":null,"domain":"ignored"})");
    CHECK(lrp["instances"] == 3);
    CHECK(lrp["domain"] == "domain");
    CHECK(lrp["modification_tag"]["index"] == 4);
    CHECK(put(R"({"routes":{}})").contains("routes") == false);
}

TEST_CASE("an invalid update is UnknownError and one that is no JSON InvalidJSON") {
    const Served served;
    served.desire("p");
    const auto answer = served.call("PUT", "/v1/desired_lrps/p", R"({"instances":-1})");
    CHECK(answer.status == 500);
    CHECK(answer.name() == "UnknownError");
    CHECK(answer.message() == "Invalid field: instances");
    CHECK(served.call("PUT", "/v1/desired_lrps/p", "").name() == "InvalidJSON");
    CHECK(served.call("PUT", "/v1/desired_lrps/p", R"({"instances":"3"})").status == 400);
}

TEST_CASE("an update that loses once is repeated and twice is ResourceConflict with 500") {
    Served served;
    served.desire("p");
    served.brain.fail_next("update_desired_lrp", make_error(brain::api::kResourceConflict));
    CHECK(served.call("PUT", "/v1/desired_lrps/p", "{}").status == 204);
    served.brain.fail_next("update_desired_lrp", make_error(brain::api::kResourceConflict));
    served.brain.fail_next("update_desired_lrp", make_error(brain::api::kResourceConflict));
    const auto answer = served.call("PUT", "/v1/desired_lrps/p", "{}");
    CHECK(answer.status == 500);
    CHECK(answer.name() == "ResourceConflict");
    CHECK(served.brain.calls("update_desired_lrp") == 4);
}

TEST_CASE("deleting a desired LRP answers 204 and it is gone") {
    const Served served;
    served.desire("p");
    const auto answer = served.call("DELETE", "/v1/desired_lrps/p");
    CHECK(answer.status == 204);
    CHECK(answer.body.empty());
    CHECK(served.get("/v1/desired_lrps/p").status == 404);
}

TEST_CASE("members of today are taken and shown and the image's password is not") {
    const Served served;
    const std::string members =
            R"("placement_tags":["gpu"],"max_pids":64,"log_rate_limit":{"bytes_per_second":-1},)"
            R"("network":{"properties":{"a":"b"}},"metric_tags":{"source_id":{"static":"s"},"i":{"dynamic":"INDEX"}},)"
            R"("image_username":"bob","certificate_properties":{"organizational_unit":["app:1"]},)"
            R"("volume_mounts":[{"driver":"nfs","container_dir":"/v","mode":"rw","shared":{"volume_id":"v1","mount_config":"{}"}}],)"
            R"("cached_dependencies":[{"name":"n","from":"f","to":"/t","cache_key":"k","log_source":""}],)"
            R"("check_definition":{"checks":[{"tcp_check":{"port":80}}],"log_source":"HEALTH"},)"
            R"("sidecars":[{"action":{"run":{"path":"s","resource_limits":{},"user":"u"}},"disk_mb":1,"memory_mb":2}],)"
            R"("update_strategy":"RECREATE","start_timeout_ms":1500)";
    REQUIRE(served.call("POST", "/v1/desired_lrps",
                        lrp_body("p", "," + members + R"(,"image_password":"secret")"))
                    .status == 201);
    const auto answer = served.get("/v1/desired_lrps/p");
    const auto want = nlohmann::json::parse("{" + members + "}");
    const auto have = answer.json();
    for (const auto& [name, value] : want.items()) {
        INFO(name << " is " << have.value(name, nlohmann::json()).dump());
        CHECK(have.contains(name));
    }
    CHECK(have["placement_tags"] == want["placement_tags"]);
    CHECK(have["sidecars"] == want["sidecars"]);
    CHECK(have["metric_tags"] == want["metric_tags"]);
    CHECK(have["check_definition"]["checks"][0]["tcp_check"]["port"] == 80);
    CHECK(have["start_timeout"] == 2);
    CHECK(answer.body.find("secret") == std::string::npos);
}
