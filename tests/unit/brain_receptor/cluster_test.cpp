// Cells, domains, versions, downloads and what the router answers itself (receptor-api §1, §6).
#include "directory.hpp"
#include "fixture.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

using namespace test;
using base::http::Headers;

TEST_CASE("cells come with their total capacity and what root filesystems they take") {
    const Served served;
    CHECK(served.get("/v1/cells").body == "[]");
    brain::api::CellPresence cell{.cell_id = "c1", .zone = "z1"};
    cell.capacity = {.memory_mb = 1'024, .disk_mb = 2'048, .containers = 3};
    cell.rootfs_providers = {
            {.name = "preloaded", .properties = {"a", "b"}}, {.name = "docker", .properties = {}}};
    REQUIRE(served.subject->cells().put_presence(cell, "me", std::chrono::minutes(1)));
    CHECK(served.get("/v1/cells").body ==
          R"([{"cell_id":"c1","zone":"z1","capacity":{"memory_mb":1024,"disk_mb":2048,)"
          R"("containers":3},"rootfs_providers":{"preloaded":["a","b"],"docker":[]}}])");
    cell.placement_tags = {"gpu"};
    REQUIRE(served.subject->cells().put_presence(cell, "me", std::chrono::minutes(1)));
    CHECK(served.get("/v1/cells").json()[0]["placement_tags"][0] == "gpu");
}

TEST_CASE("a domain is fresh for ever or as long as its max-age says") {
    const Served served;
    CHECK(served.get("/v1/domains").body == "[]");
    const auto put = [&](const std::string& name, const Headers& headers) {
        return served.call("PUT", "/v1/domains/" + name, "", headers);
    };
    CHECK(put("ever", {}).status == 204);
    CHECK(put("minute", {{"Cache-Control", "max-age=60"}}).status == 204);
    CHECK(put("second-line", {{"Cache-Control", "no-cache"}, {"cache-control", "max-age=60"}})
                  .status == 204);
    CHECK(put("a%20b", {{"Cache-Control", "max-age=0"}}).status == 204);
    const auto list = served.get("/v1/domains").json();
    for (const auto* name : {"ever", "minute", "second-line", "a b"})
        CHECK(std::find(list.begin(), list.end(), name) != list.end());
}

TEST_CASE("a max-age that does not begin its line or is no number is InvalidRequest") {
    const Served served;
    for (const std::string value :
         {"no-cache, max-age=10", "max-age=", "max-age=x", "max-age=1.5", "max-age=-1", "no-cache",
          "Max-Age=10", "max-age=10, public", "max-age=99999999999"}) {
        const auto answer = served.call("PUT", "/v1/domains/d", "", {{"Cache-Control", value}});
        CHECK(answer.status == 400);
        CHECK(answer.name() == "InvalidRequest");
    }
    CHECK(served.get("/v1/domains").body == "[]");
}

TEST_CASE("an invalid domain is UnknownError and never InvalidDomain") {
    const Served served;
    for (const auto& name : {std::string(256, 'd'), std::string("a%0Ab")}) {
        const auto answer = served.call("PUT", "/v1/domains/" + name);
        CHECK(answer.status == 500);
        CHECK(answer.name() == "UnknownError");
        CHECK(answer.message() == "Invalid field: domain");
    }
}

TEST_CASE("versions come from files and are left out without") {
    CHECK(Served().get("/v1/version").body == "{}");
    const Directory directory;
    directory.file("CF_RELEASE", "v1\n");
    directory.file("LTC", "v2");
    directory.file("RECEPTOR", "");
    directory.file("OTHER", "x");
    brain::receptor::Settings settings;
    settings.version_files_path = directory.path;
    CHECK(Served(settings).get("/v1/version").body == R"({"cf_release":"v1","ltc":"v2"})");
}

TEST_CASE("an artifact is downloaded whole and in ranges") {
    const Directory directory;
    directory.file("linux/ltc", "0123456789");
    brain::receptor::Settings settings;
    settings.artifact_path = directory.path;
    settings.username = "u";  // this one route is open
    settings.password = "p";
    const Served served(settings);
    const auto whole = served.get("/v1/sync/linux/ltc");
    CHECK(whole.status == 200);
    CHECK(whole.body == "0123456789");
    CHECK(whole.header("Content-Type") == "application/octet-stream");
    const auto range = [&](const std::string& value) {
        return served.call("GET", "/v1/sync/linux/ltc", "", {{"Range", value}});
    };
    for (const auto& [asked, body, place] :
         std::vector<std::tuple<std::string, std::string, std::string>>{
                 {"bytes=2-4", "234", "bytes 2-4/10"},
                 {"bytes=7-", "789", "bytes 7-9/10"},
                 {"bytes=-3", "789", "bytes 7-9/10"},
                 {"bytes=-99", "0123456789", "bytes 0-9/10"},
                 {"bytes=8-99", "89", "bytes 8-9/10"}}) {
        const auto part = range(asked);
        CHECK(part.status == 206);
        CHECK(part.body == body);
        CHECK(part.header("Content-Range") == place);
    }
    for (const std::string behind : {"bytes=10-", "bytes=-0"}) {
        CHECK(range(behind).status == 416);
        CHECK(range(behind).header("Content-Range") == "bytes */10");
    }
    for (const std::string odd :
         {"bytes=4-2", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2", "bytes=-"})
        CHECK(range(odd).body == "0123456789");
}

TEST_CASE("an artifact that is missing is 500 and nothing leads out of its directory") {
    const Directory directory;
    directory.file("secret", "s");
    directory.file("artifacts/linux/ltc", "x");
    brain::receptor::Settings settings;
    settings.artifact_path = directory.path + "/artifacts";
    const Served served(settings);
    for (const std::string target :
         {"/v1/sync/linux/none", "/v1/sync/osx/ltc", "/v1/sync/../secret", "/v1/sync/%2E%2E/secret",
          "/v1/sync/linux/..%2F..%2Fsecret", "/v1/sync/linux/%2E%2E", "/v1/sync/linux/",
          "/v1/sync/%2E/linux"})
        CHECK(served.get(target).status == 500);
    CHECK(served.get("/v1/sync/a%2Flinux/b%2Fltc").body == "x");  // base names, as ever
    CHECK(Served().get("/v1/sync/linux/ltc").status == 500);
}

TEST_CASE("an unknown path is 404 and a wrong method 405 with Allow, both as plain text") {
    const Served served;
    for (const std::string path : {"/", "/v1", "/v2/tasks", "/v1/tasks/a/b", "/v1/cells/"}) {
        const auto answer = served.get(path);
        CHECK(answer.status == 404);
        CHECK(answer.header("Content-Type").starts_with("text/plain"));
        CHECK(answer.name().empty());
    }
    const auto wrong = served.call("PATCH", "/v1/tasks/x");
    CHECK(wrong.status == 405);
    CHECK(wrong.header("Allow") == "GET, DELETE");
    CHECK(wrong.header("Content-Type").starts_with("text/plain"));
    CHECK(served.call("DELETE", "/v1/tasks").header("Allow") == "POST, GET");
    CHECK(served.call("OPTIONS", "/v1/cells").status == 405);
}

TEST_CASE("more requests than the server takes are answered in the API's own words") {
    const auto answer = brain::receptor::busy(base::Error{.text = "http: full"});
    CHECK(answer.status == 503);
    CHECK(answer.body == R"({"name":"UnknownError","message":"http: full"})");
}
