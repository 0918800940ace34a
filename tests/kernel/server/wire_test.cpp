// Ordinary calls, byte for byte (garden-api §2, §3, §5, §6, §14).
#include "server_fixture.hpp"
#include "tests/support/needs.hpp"

#include <regex>
#include <thread>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kEmptySpec =
        R"({"image":{},"limits":{"bandwidth_limits":{},"cpu_limits":{},"disk_limits":{},)"
        R"("memory_limits":{},"pid_limits":{}}})"
        "\n";

std::string not_found(const std::string& handle) {
    return "404 {\"Type\":\"ContainerNotFoundError\",\"Message\":\"unknown handle: " + handle +
           "\",\"Handle\":\"" + handle + "\",\"ProcessID\":\"\",\"Binary\":\"\"}\n";
}

std::string plain(int status, const std::string& message) {
    return std::to_string(status) + " {\"Type\":\"\",\"Message\":\"" + message +
           "\",\"Handle\":\"\",\"ProcessID\":\"\",\"Binary\":\"\"}\n";
}

// The answers of calls without a result.
constexpr const char* kNone = "200 {}\n";

}  // namespace

TEST_CASE("an answer without a result is {} and a newline, with a length, and closes") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto answer = call(fixture.endpoint(), "GET", "/ping");
    CHECK(answer.head ==
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n"
          "Connection: close\r\n");
    CHECK(answer.body == "{}\n");
    const auto capacity = call(fixture.endpoint(), "GET", "/capacity");
    CHECK(std::regex_match(
            capacity.body,
            std::regex(R"(\{"memory_in_bytes":[1-9]\d*,"disk_in_bytes":[1-9]\d*,)"
                       R"("schedulable_disk_in_bytes":[1-9]\d*,"max_containers":[1-9]\d*\}\n)")));
}

TEST_CASE("create, list and destroy as Go's client does them with an empty spec") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    CHECK(call(fixture.endpoint(), "GET", "/containers").line() == "200 {\"Handles\":[]}\n");
    const auto created = call(fixture.endpoint(), "POST", "/containers", kEmptySpec);
    std::smatch match;
    REQUIRE(std::regex_match(
            created.body, match,
            std::regex(R"re(\{"Handle":"([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab])re"
                       R"re([0-9a-f]{3}-[0-9a-f]{12})"\}\n)re")));
    const auto handle = match[1].str();
    CHECK(call(fixture.endpoint(), "GET", "/containers").body ==
          "{\"Handles\":[\"" + handle + "\"]}\n");
    CHECK(call(fixture.endpoint(), "DELETE", "/containers/" + handle).line() == kNone);
    CHECK(call(fixture.endpoint(), "DELETE", "/containers/" + handle).line() == not_found(handle));
    CHECK(call(fixture.endpoint(), "GET", "/containers").body == "{\"Handles\":[]}\n");
}

TEST_CASE("a call about an unknown container is 404 with its handle, whatever the call") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;

    const struct {
        const char* method;
        const char* path;
        const char* body;
    } calls[] = {
            {"GET", "info", ""},
            {"DELETE", "", ""},
            {"PUT", "stop", "{\"kill\":true}"},
            {"PUT", "files?user=alice&destination=/tmp", "not read"},
            {"GET", "files?user=alice&source=/tmp", ""},
            {"GET", "limits/bandwidth", ""},
            {"GET", "limits/cpu", ""},
            {"GET", "limits/disk", ""},
            {"GET", "limits/memory", ""},
            {"POST", "net/in", "{\"host_port\":1}"},
            {"POST", "net/out", "{}"},
            {"POST", "net/out/bulk", "[{}]"},
            {"POST", "processes",
             "{\"path\":\"true\",\"rlimits\":{},"
             "\"image\":{}}"},
            {"GET", "processes/p", ""},
            {"PUT", "grace_time", "1000"},
            {"GET", "properties", ""},
            {"GET", "properties/a", ""},
            {"PUT", "properties/a", "{\"value\":\"b\"}"},
            {"DELETE", "properties/a", ""},
            {"GET", "metrics", ""},
    };

    for (const auto& each : calls) {
        const std::string slash = *each.path == '\0' ? "" : "/";
        INFO(each.method << " " << each.path);
        const auto answer =
                call(fixture.endpoint(), each.method, "/containers/no%20pe" + slash + each.path,
                     each.body);
        const auto text = answer.line();
        // What streams in and out says first which call
        // failed; its handle is filled all the same.
        CHECK(text.find("\"Type\":"
                        "\"ContainerNotFoundError\"") != std::string::npos);
        CHECK(text == not_found("no pe"));
        CHECK(answer.head.find("Connection: close") == std::string::npos);
    }
}

TEST_CASE("unknown paths and wrong methods get the words of Go's router") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto unknown = call(fixture.endpoint(), "GET", "/nowhere");
    CHECK(unknown.line() == "404 404 page not found\n");
    CHECK(unknown.head.find("Content-Type: text/plain; "
                            "charset=utf-8\r\n") != std::string::npos);
    CHECK(call(fixture.endpoint(), "GET", "/containers/h/properties/a/b").status == 404);
    const auto wrong = call(fixture.endpoint(), "GET", "/containers/h");
    CHECK(wrong.line() == "405 Method Not Allowed\n");
    CHECK(wrong.head.find("Allow: DELETE\r\n") != std::string::npos);
    CHECK(call(fixture.endpoint(), "POST", "/containers/h/limits/memory").status == 405);
}

TEST_CASE("a body that is wrong is refused with the path of what is wrong") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto create = [&](const std::string& body) {
        return call(fixture.endpoint(), "POST", "/containers", body);
    };
    CHECK(create("").status == 400);
    CHECK(create("{").status == 400);
    CHECK(create(R"({"limits":{"memory_limits":{"limit_in_bytes":"5"}}})").line() ==
          plain(400,
                "limits.memory_limits.limit_in_bytes: "
                "expected an unsigned integer, got \\\"5\\\""));
    CHECK(create(R"({"limits":{"memory_limits":{"limit_in_bytes":1.0}}})").status == 400);
    CHECK(create(R"({"bind_mounts":[{},{"mode":7}]})").body.find("bind_mounts[1].mode: ") !=
          std::string::npos);
    CHECK(create(R"({"rootfs":"/a","image":{"uri":"/b"}})").line() ==
          plain(400,
                "Cannot provide both Image.URI and "
                "RootFSPath"));
    CHECK(create(R"({"handle":"a/b"})").status == 400);
    CHECK(create(R"({"handle":".."})").status == 400);
    CHECK(create(R"({"handle":"x","netin":[{"host_port":0,"container_port":65536}]})").line() ==
          plain(400, "netin[0]: 0 to 65536: a port is at most 65535"));
    CHECK(create(R"({"handle":"x","netout_rules":[{},{"protocol":9}]})").line() ==
          plain(400, "netout_rules[1]: invalid protocol: 9"));
    CHECK(create(R"({"handle":"x","cloche":{"class":"odd"}})").body.find("cloche.class: ") !=
          std::string::npos);
    CHECK(call(fixture.endpoint(), "GET", "/containers?garden.state=all").body ==
          "{\"Handles\":[]}\n");
    const auto large = create("\"" + std::string(5 << 20, 'x') + "\"");
    CHECK(large.status == 413);
    CHECK(large.body.find("limit") != std::string::npos);
    CHECK(create(std::string(1000, '[')).status >= 400);
    fixture.create("c");
    CHECK(call(fixture.endpoint(), "PUT", "/containers/c/grace_time", "\"5\"").status == 400);
    CHECK(call(fixture.endpoint(), "PUT", "/containers/c/stop", "[]").status == 400);
    CHECK(call(fixture.endpoint(), "POST", "/containers/c/net/out/bulk", "{}").status == 400);
}

TEST_CASE("what stands behind the first value of a body is ignored, unknown members are too") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto answer =
            call(fixture.endpoint(), "POST", "/containers",
                 "{\"handle\":\"c\",\"new_in_2030\":{\"a\":[1]"
                 "},\"properties\":{\"k\":"
                 "\"\\u003c\\u0026\\u003e\"}}\nrest");
    CHECK(answer.line() == "200 {\"Handle\":\"c\"}\n");
    CHECK(call(fixture.endpoint(), "GET", "/containers/c/properties/k").body ==
          "{\"value\":\"<&>\"}\n");
    CHECK(call(fixture.endpoint(), "POST", "/containers", R"({"handle":"c"})").line() ==
          plain(409, "Handle 'c' already in use"));
}

TEST_CASE("a chunked body is as good as one with a length") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    Wire wire(fixture.endpoint());
    wire.send(
            "POST /containers HTTP/1.1\r\nHost: "
            "api\r\nTransfer-Encoding: chunked\r\n"
            "Connection: "
            "close\r\n\r\na\r\n{\"handle\":"
            "\r\n6\r\n\"abc\"}\r\n0\r\n\r\n");
    CHECK(parse_answer(wire.rest()).line() == "200 {\"Handle\":\"abc\"}\n");
}
