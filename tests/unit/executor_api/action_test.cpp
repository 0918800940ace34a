#include "executor/api/action.hpp"

#include "base/json.hpp"

#include <catch2/catch.hpp>

using namespace executor::api;
using base::json::decode;
using base::json::encode;

namespace {

// Every kind once, nested in every wrapper.
constexpr auto kRecipe = R"({"timeout":{"action":{"emit_progress":{"action":{"serial":{"actions":[
  {"download":{"artifact":"app","from":"http://a/b","to":"/tmp","cache_key":"k","user":"vcap",
    "checksum_algorithm":"SHA256","checksum_value":"00"}},
  {"try":{"action":{"upload":{"from":"/x","to":"http://u","user":"root"}}}},
  {"parallel":{"actions":[{"run":{"path":"/bin/true","args":["a","b"],"dir":"/d","user":"root",
    "env":[{"name":"A","value":"1"}],"resource_limits":{"nofile":7},"log_source":"L"}}]}},
  {"codependent":{"actions":[{"run":{"path":"/x","user":"vcap","suppress_log_output":true}}]}}
  ]}},"start_message":"s","success_message":"o","failure_message_prefix":"f"}},"timeout_ms":1500}})";

std::string complaint(std::string_view json) {
    const auto action = decode<Action>(json);
    REQUIRE(action);
    const auto judged = validate(*action, "run");
    return judged ? "" : judged.error().text;
}

}  // namespace

TEST_CASE("an action survives the way to JSON and back") {
    const auto action = decode<Action>(kRecipe);
    REQUIRE(action);
    CHECK(validate(*action, "run"));
    const auto again = decode<Action>(encode(*action));
    REQUIRE(again);
    CHECK(*again == *action);
    const auto& timeout = std::get<TimeoutAction>(action->value);
    CHECK(timeout.timeout == std::chrono::milliseconds(1500));
    const auto& progress = std::get<EmitProgressAction>(timeout.action->value);
    const auto& serial = std::get<SerialAction>(progress.action->value);
    CHECK(std::get<DownloadAction>(serial.actions[0].value).checksum_algorithm == "sha256");
}

TEST_CASE("the words of 2015 are understood") {
    const auto timeout = decode<Action>(
            R"({"timeout":{"action":{"run":{"path":"x","privileged":true}},"timeout":2000000}})");
    REQUIRE(timeout);
    const auto& inner = std::get<TimeoutAction>(timeout->value);
    CHECK(inner.timeout == std::chrono::milliseconds(2));
    CHECK(std::get<RunAction>(inner.action->value).user == "root");
    const auto run = decode<Action>(R"({"run":{"path":"x","privileged":false}})");
    REQUIRE(run);
    CHECK(std::get<RunAction>(run->value).user == "vcap");
}

TEST_CASE("null members of Go's union do not count") {
    const auto run =
            decode<Action>(R"({"download":null,"run":{"path":"x","user":"u"},"try":null})");
    REQUIRE(run);
    CHECK(kind_of(*run) == "run");
    const auto none = decode<Action>("null");
    REQUIRE(none);
    CHECK(none->empty());
}

TEST_CASE("an action with two kinds, none or an unknown one is refused") {
    CHECK_FALSE(decode<Action>(R"({"run":{"path":"x"},"try":{"action":{"run":{}}}})"));
    CHECK_FALSE(decode<Action>("{}"));
    const auto unknown = decode<Action>(R"({"walk":{"path":"x"}})");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().text.find("'walk' is no kind of action") != std::string::npos);
    CHECK_FALSE(decode<Action>("[]"));
}

TEST_CASE("rules of actions name the place of what breaks them") {
    CHECK(complaint("null") == "run.: an action is required");
    CHECK(complaint(R"({"run":{"user":"u"}})") == "run.run.path: must not be empty");
    CHECK(complaint(R"({"run":{"path":"u"}})") == "run.run.user: must not be empty");
    CHECK(complaint(R"({"serial":{"actions":[]}})") == "run.serial.actions: must not be empty");
    CHECK(complaint(
                  R"({"serial":{"actions":[{"run":{"path":"a","user":"u"}},{"run":{"path":"a"}}]}})") ==
          "run.serial.actions[1].run.user: must not be empty");
    CHECK(complaint(R"({"timeout":{"action":{"run":{"path":"a","user":"u"}}}})") ==
          "run.timeout.timeout_ms: must be positive");
    CHECK(complaint(R"({"try":{}})") == "run.try.action.: an action is required");
    CHECK(complaint(R"({"download":{"from":"a","to":"b"}})") ==
          "run.download.user: must not be empty");
    CHECK(complaint(R"({"upload":{"from":"a","user":"b"}})") == "run.upload.to: must not be empty");
    CHECK(complaint(R"({"download":{"from":"a","to":"b","user":"u","checksum_value":"1"}})") ==
          "run.download: checksum_algorithm and checksum_value come together");
    CHECK(complaint(
                  R"({"download":{"from":"a","to":"b","user":"u","checksum_algorithm":"crc","checksum_value":"1"}})") ==
          "run.download.checksum_algorithm: 'crc' is not one of md5, sha1, sha256");
}

TEST_CASE("depth and number of actions are bounded") {
    Action action{.value = RunAction{.path = "x", .user = "u"}};
    for (int i = 0; i < 31; ++i) action = Action{.value = TryAction{.action = action}};
    CHECK(validate(action, "run"));
    action = Action{.value = TryAction{.action = action}};
    CHECK_FALSE(validate(action, "run"));
    ParallelAction many;
    many.actions.resize(999, Action{.value = RunAction{.path = "x", .user = "u"}});
    CHECK(validate(Action{.value = many}, "run"));
    many.actions.resize(1000, many.actions[0]);
    const auto judged = validate(Action{.value = many}, "run");
    REQUIRE_FALSE(judged);
    CHECK(judged.error().text.find("more than 1000 actions") != std::string::npos);
}
