// Every route of tasks (receptor-api §3).
#include "fixture.hpp"

#include <catch2/catch.hpp>

using namespace test;
using brain::api::make_error;

TEST_CASE("a task is made with 201 and an empty answer without a content type") {
    const Served served;
    const auto answer = served.call("POST", "/v1/tasks", task_body("t"));
    CHECK(answer.status == 201);
    CHECK(answer.body.empty());
    CHECK_FALSE(answer.headers.has("Content-Type"));
}

TEST_CASE("a task comes back in the shape of 2015 byte for byte") {
    const Served served;
    served.desire_task(
            "t",
            R"(,"annotation":"a \"note\"","completion_callback_url":"http://h/x","cpu_weight":7,
               "disk_mb":10,"memory_mb":20,"privileged":true,"log_guid":"lg","log_source":"ls",
               "metrics_guid":"mg","result_file":"/r","env":[{"name":"A","value":"b"}],
               "egress_rules":[{"protocol":"tcp","destinations":["1.2.3.4"],"ports":[80]},
                 {"protocol":"icmp","destinations":["0.0.0.0/0"],"icmp_info":{"type":-1,"code":0}}],
               "unknown":{"x":1})");
    const auto answer = served.get("/v1/tasks/t");
    REQUIRE(answer.status == 200);
    CHECK(answer.header("Content-Type") == "application/json");
    CHECK(answer.header("Content-Length") == std::to_string(answer.body.size()));
    const auto created = std::to_string(answer.json()["created_at"].get<std::int64_t>());
    CHECK(created.size() == 19);
    CHECK(answer.body ==
          R"({"task_guid":"t","domain":"domain","rootfs":"preloaded:x",)"
          R"("action":{"run":{"path":"ls","resource_limits":{},"user":"me"}},)"
          R"("annotation":"a \"note\"","cpu_weight":7,"disk_mb":10,"memory_mb":20,)"
          R"("privileged":true,"log_guid":"lg","log_source":"ls","metrics_guid":"mg",)"
          R"("env":[{"name":"A","value":"b"}],)"
          R"("egress_rules":[{"protocol":"tcp","destinations":["1.2.3.4"],"ports":[80],"log":false},)"
          R"({"protocol":"icmp","destinations":["0.0.0.0/0"],"icmp_info":{"type":-1,"code":0},"log":false}],)"
          R"("completion_callback_url":"http://h/x","result_file":"","cell_id":"","created_at":)" +
                  created +
                  R"(,"failed":false,"failure_reason":"","result":"","state":"PENDING"})");
}

TEST_CASE("what a task has not is left out or printed empty as in 2015") {
    const Served served;
    served.desire_task("t", R"(,"env":[],"egress_rules":[],"annotation":"")");
    const auto task = served.get("/v1/tasks/t").json();
    for (const auto* name : {"annotation", "env", "egress_rules", "placement_tags", "max_pids"})
        CHECK_FALSE(task.contains(name));
    for (const auto* name :
         {"completion_callback_url", "log_guid", "log_source", "metrics_guid", "result",
          "result_file", "cell_id", "failure_reason"})
        CHECK(task[name] == "");
}

TEST_CASE("a task's states and cell are those of the store") {
    const Served served;
    served.desire_task("t");
    auto& cells = served.subject->cells();
    REQUIRE(cells.start_task("t", "cell-1").value());
    CHECK(served.get("/v1/tasks/t").json()["state"] == "RUNNING");
    CHECK(served.get("/v1/tasks/t").json()["cell_id"] == "cell-1");
    REQUIRE(cells.complete_task(
            {.task_guid = "t", .cell_id = "cell-1", .failed = true, .failure_reason = "why"}));
    const auto task = served.get("/v1/tasks/t").json();
    CHECK(task["state"] == "COMPLETED");
    CHECK(task["cell_id"] == "");
    CHECK(task["failed"] == true);
    CHECK(task["failure_reason"] == "why");
    REQUIRE(served.subject->clients().resolve_task("t"));
    CHECK(served.get("/v1/tasks/t").json()["state"] == "RESOLVING");
}

TEST_CASE("tasks are listed by domain and none is an empty list") {
    const Served served;
    CHECK(served.get("/v1/tasks").body == "[]");
    served.desire_task("a");
    REQUIRE(served.call("POST", "/v1/tasks",
                        R"({"task_guid":"b","domain":"other","rootfs":"x:y","action":{"run":{"path":"a","user":"b"}}})")
                    .status == 201);
    CHECK(served.get("/v1/tasks").json().size() == 2);
    CHECK(served.get("/v1/tasks?domain=").json().size() == 2);
    const auto other = served.get("/v1/tasks?domain=other").json();
    REQUIRE(other.size() == 1);
    CHECK(other[0]["task_guid"] == "b");
    CHECK(served.get("/v1/tasks?domain=none").body == "[]");
}

TEST_CASE("a second task of one guid is TaskGuidAlreadyExists") {
    const Served served;
    served.desire_task("t");
    const auto answer = served.call("POST", "/v1/tasks", task_body("t"));
    CHECK(answer.status == 409);
    CHECK(answer.body ==
          R"({"name":"TaskGuidAlreadyExists","message":"task guid 't' already exists"})");
}

TEST_CASE("an invalid task is InvalidTask with every rule that it breaks") {
    const Served served;
    const auto answer = served.call("POST", "/v1/tasks", R"({"cpu_weight":101})");
    CHECK(answer.status == 400);
    CHECK(answer.body ==
          R"({"name":"InvalidTask","message":"Invalid field: domain, Invalid field: task_guid, )"
          R"(Invalid field: rootfs, Invalid field: action, Invalid field: cpu_weight",)"
          R"("details":["domain: must not be empty",)"
          R"("task_guid: '' is not one or more of letters, digits, - and _",)"
          R"("rootfs: must not be empty",)"
          R"("action: invalid action type: exactly one action is required",)"
          R"("cpu_weight: 101, the limit is 100"]})");
    CHECK(served.brain.calls("desire_task") == 0);
}

TEST_CASE("a callback that is no URL is InvalidTask before anything else") {
    const Served served;
    const auto answer =
            served.call("POST", "/v1/tasks", R"({"completion_callback_url":"not a url"})");
    CHECK(answer.status == 400);
    CHECK(answer.name() == "InvalidTask");
    CHECK(answer.message() == "Invalid field: completion_callback_url");
}

TEST_CASE("a body that is no JSON of a task is InvalidJSON") {
    const Served served;
    for (const std::string body :
         {"", "{", "[]", "null", R"({"task_guid":7})", R"({"action":{"jump":{}}})",
          R"({"action":{"run":{},"try":{}}})", R"({"cpu_weight":-1})", R"({"env":{}})",
          R"({"memory_mb":1.5})"}) {
        const auto answer = served.call("POST", "/v1/tasks", body);
        CHECK(answer.status == 400);
        CHECK(answer.name() == "InvalidJSON");
        CHECK_FALSE(answer.message().empty());
    }
}

TEST_CASE("a body over the limit is refused with 413") {
    const Served served;
    const auto answer = served.call(
            "POST", "/v1/tasks", task_body("t", R"(,"x":")" + std::string(4 << 20, 'x') + '"'));
    CHECK(answer.status == 413);
    CHECK(answer.name() == "InvalidRequest");
}

TEST_CASE("what stands behind the first value and the content type do not matter") {
    const Served served;
    CHECK(served.call("POST", "/v1/tasks", task_body("t") + " trailing",
                      {{"Content-Type", "application/x-www-form-urlencoded"}})
                  .status == 201);
}

TEST_CASE("a task that is not there is TaskNotFound on every route") {
    const Served served;
    for (const auto& [method, target] : std::vector<std::pair<std::string, std::string>>{
                 {"GET", "/v1/tasks/x"},
                 {"DELETE", "/v1/tasks/x"},
                 {"POST", "/v1/tasks/x/cancel"}}) {
        const auto answer = served.call(method, target);
        CHECK(answer.status == 404);
        CHECK(answer.body == R"({"name":"TaskNotFound","message":"task 'x' not found"})");
    }
}

TEST_CASE("a path without its guid is InvalidRequest") {
    const Served served;
    for (const auto& [method, target] : std::vector<std::pair<std::string, std::string>>{
                 {"GET", "/v1/tasks/"},
                 {"DELETE", "/v1/tasks/"},
                 {"POST", "/v1/tasks//cancel"},
                 {"GET", "/v1/desired_lrps/"},
                 {"PUT", "/v1/desired_lrps/"},
                 {"DELETE", "/v1/desired_lrps/"},
                 {"GET", "/v1/actual_lrps/"},
                 {"GET", "/v1/actual_lrps//index/0"},
                 {"DELETE", "/v1/actual_lrps//index/0"},
                 {"PUT", "/v1/domains/"}}) {
        const auto answer = served.call(method, target);
        CHECK(answer.status == 400);
        CHECK(answer.name() == "InvalidRequest");
    }
}

TEST_CASE("deleting a completed task takes two transitions and answers 200") {
    const Served served;
    served.desire_task("t");
    served.complete_task("t");
    const auto answer = served.call("DELETE", "/v1/tasks/t");
    CHECK(answer.status == 200);
    CHECK(answer.body.empty());
    CHECK(served.brain.calls("resolve_task") == 1);
    CHECK(served.brain.calls("delete_task") == 1);
    CHECK(served.get("/v1/tasks/t").status == 404);
}

TEST_CASE("a task that is pending, running or resolving is TaskNotDeletable") {
    const Served served;
    const auto refused = [&] {
        const auto answer = served.call("DELETE", "/v1/tasks/t");
        CHECK(answer.status == 409);
        CHECK(answer.name() == "TaskNotDeletable");
    };
    served.desire_task("t");
    refused();
    REQUIRE(served.subject->cells().start_task("t", "cell-1").value());
    refused();
    REQUIRE(served.subject->cells().complete_task({.task_guid = "t", .cell_id = "cell-1"}));
    REQUIRE(served.subject->clients().resolve_task("t"));
    refused();
}

TEST_CASE("cancelling fails a task once and is UnknownError when it is over") {
    const Served served;
    served.desire_task("t");
    const auto answer = served.call("POST", "/v1/tasks/t/cancel");
    CHECK(answer.status == 200);
    CHECK(answer.body.empty());
    const auto task = served.get("/v1/tasks/t").json();
    CHECK(task["state"] == "COMPLETED");
    CHECK(task["failed"] == true);
    CHECK(task["failure_reason"] == "task was cancelled");
    const auto again = served.call("POST", "/v1/tasks/t/cancel");
    CHECK(again.status == 500);
    CHECK(again.name() == "UnknownError");
}

TEST_CASE("what fails in the store is UnknownError with the store's text") {
    Served served;
    const std::vector<std::tuple<std::string, std::string, std::string, std::string>> calls = {
            {"desire_task", "POST", "/v1/tasks", task_body("t")},
            {"list_tasks", "GET", "/v1/tasks", ""},
            {"find_task", "GET", "/v1/tasks/t", ""},
            {"resolve_task", "DELETE", "/v1/tasks/t", ""},
            {"cancel_task", "POST", "/v1/tasks/t/cancel", ""},
            {"desire_lrp", "POST", "/v1/desired_lrps", lrp_body("p")},
            {"list_desired_lrps", "GET", "/v1/desired_lrps", ""},
            {"find_desired_lrp", "GET", "/v1/desired_lrps/p", ""},
            {"update_desired_lrp", "PUT", "/v1/desired_lrps/p", "{}"},
            {"remove_desired_lrp", "DELETE", "/v1/desired_lrps/p", ""},
            {"list_actual_lrps", "GET", "/v1/actual_lrps", ""},
            {"list_actual_lrps_of", "GET", "/v1/actual_lrps/p", ""},
            {"find_actual_lrp", "GET", "/v1/actual_lrps/p/index/0", ""},
            {"find_actual_lrp", "DELETE", "/v1/actual_lrps/p/index/0", ""},
            {"list_cells", "GET", "/v1/cells", ""},
            {"upsert_domain", "PUT", "/v1/domains/d", ""},
            {"fresh_domains", "GET", "/v1/domains", ""},
            {"subscribe", "GET", "/v1/events", ""}};
    for (const auto& [call, method, target, body] : calls) {
        INFO(call);
        served.brain.fail_next(call, base::Error{.text = "the disk is on fire"});
        const auto answer = served.call(method, target, body);
        CHECK(answer.status == 500);
        CHECK(answer.body == R"({"name":"UnknownError","message":"the disk is on fire"})");
        served.brain.fail_next(
                call, base::Error{.kind = base::Errc::unavailable, .text = "not the leader"});
        const auto away = served.call(method, target, body);
        CHECK(away.status == 503);
        CHECK(away.name() == "UnknownError");
        CHECK(away.header("Retry-After") == "1");
    }
}

TEST_CASE("a record that the store itself refuses has the name of its kind") {
    Served served;
    served.brain.fail_next("desire_task", make_error(brain::api::kInvalidRequest, "x"));
    CHECK(served.call("POST", "/v1/tasks", task_body("t")).name() == "InvalidTask");
    served.brain.fail_next("desire_lrp", make_error(brain::api::kInvalidRequest, "x"));
    CHECK(served.call("POST", "/v1/desired_lrps", lrp_body("p")).name() == "InvalidLRP");
}

TEST_CASE("a guid in the path may be escaped and never leads elsewhere") {
    const Served served;
    served.desire_task("a_b");
    CHECK(served.get("/v1/tasks/a%5Fb").status == 200);
    CHECK(served.get("/v1/tasks/a%2Fb").name() == "TaskNotFound");
    const auto quoted = served.get("/v1/tasks/%22%0A");
    CHECK(quoted.name() == "TaskNotFound");
    CHECK(quoted.message() == "task '\"\n' not found");
}
