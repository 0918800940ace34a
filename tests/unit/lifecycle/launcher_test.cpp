#include "lifecycle/launcher/environment.hpp"
#include "lifecycle/launcher/plan.hpp"

#include <array>

#include <catch2/catch.hpp>

using namespace lifecycle;

namespace {

using Words = std::vector<std::string>;

LaunchRequest droplet(std::string command) {
    return {.app_directory = "/home/vcap/app",
            .command = std::move(command),
            .metadata = "{}",
            .staging_info = R"({"start_command":"staged"})"};
}

}  // namespace

TEST_CASE("setting a variable keeps its place and leaves no second one") {
    constexpr std::array<const char*, 6> kList{"A=1", "B=2", "A=3", "noise", "AB=4", nullptr};
    Environment environment(kList.data());
    CHECK(environment.get("A") == "1");
    CHECK_FALSE(environment.find("C"));
    environment.set("A", "x=y");
    environment.set("C", "");
    CHECK(environment.words() == Words{"A=x=y", "B=2", "noise", "AB=4", "C="});
    CHECK(environment.find("C") == "");
}

TEST_CASE("a droplet runs by bash and an image as it is") {
    const auto staged = plan_launch(droplet(""), {}).value();
    CHECK(staged.directory == "/home/vcap/app");
    CHECK(staged.argv[0] == "bash");
    CHECK(Words(staged.argv.end() - 3, staged.argv.end()) == Words{"/home/vcap/app", "staged", ""});
    CHECK(staged.environment.words() ==
          Words{"HOME=/home/vcap/app", "TMPDIR=/home/vcap/tmp", "DEPS_DIR=/home/vcap/deps"});
    LaunchRequest image{
            .app_directory = "/app",
            .metadata = R"({"entrypoint":["a b"],"cmd":["c"],"workdir":"/w","ports":[]})"};
    const auto plain = plan_launch(image, {}).value();
    CHECK(plain.directory == "/w");
    CHECK(plain.argv == Words{"a b", "c"});
    CHECK(plain.environment.words().empty());
    image.command = "start";
    CHECK(plan_launch(image, {}).value().argv == Words{"/bin/sh", "-c", "start"});
}

TEST_CASE("what does not read is told apart from nothing to run") {
    CHECK(plan_launch({.app_directory = "/a"}, {}).error().kind == base::Errc::not_found);
    CHECK(plan_launch({.app_directory = "/a", .metadata = "7"}, {}).error().kind ==
          base::Errc::invalid);
    auto wrong = droplet("");
    wrong.staging_info = R"({"start_command":["a"]})";
    CHECK(plan_launch(wrong, {}).error().text == "staging_info.yml: start_command is not a text");
    auto prefixed = droplet("run");
    prefixed.staging_info = R"({"config":{"entrypoint_prefix":"/p"}})";
    CHECK(plan_launch(prefixed, {}).value().argv.back() == "/p");
}

TEST_CASE("programs are looked for in PATH and nowhere else") {
    CHECK(candidates("./x", "/a:/b") == Words{"./x"});
    CHECK(candidates("x", "/a::/b:") == Words{"/a/x", "/b/x"});
    CHECK(candidates("x", "").size() == 6);
    CHECK(absolute_path("app", "/home/vcap") == "/home/vcap/app");
    CHECK(absolute_path("../tmp", "/app") == "/tmp");
    CHECK(absolute_path("/a/./b/../c/", "/x") == "/a/c");
    CHECK(absolute_path("..", "/a") == "/");
}

TEST_CASE("deep JSON is left alone and not followed") {
    Environment environment;
    const std::string deep = R"({"a":)" + std::string(70, '[') + std::string(70, ']') + "}";
    environment.set("VCAP_APPLICATION", deep);
    CHECK_FALSE(described_application(environment));
    CHECK_FALSE(database_url(deep));
    CHECK_FALSE(database_url(R"({"a":[{"credentials":{"uri":7}},{},7]})").value());
    CHECK(database_url(R"({"a":[{"credentials":{"uri":"mysql://h"}}]})").value() == "mysql2://h");
}
