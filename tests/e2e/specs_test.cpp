// (f): requests that are wrong, over the wire. A clear answer that names the field, and nothing
// left.
#include "tests/e2e/daemon.hpp"
#include "tests/e2e/session.hpp"
#include "tests/support/needs.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

using std::chrono::milliseconds;
using test::Daemon;
using test::patience;
using test::process;
using test::run_to_end;

namespace {

struct Bad {
    const char* body;
    const char* named;  // what the answer must contain
};

struct Answer {
    int status = 0;
    std::string body;
};

Answer post(base::http::Client& http, const std::string& target, std::string body) {
    base::http::ClientRequest request{
            .method = "POST", .target = target, .headers = {}, .body = std::move(body)};
    request.headers.add("Content-Type", "application/json");
    const auto answer = http.call(std::move(request));
    if (!answer) return {.status = 0, .body = answer.error().text};
    return {.status = answer->status, .body = answer->body};
}

const Bad kContainers[] = {
        {R"({"handle":7})", "handle"},
        {R"({"handle":"a/b"})", "handle"},
        {R"({"handle":".."})", "handle"},
        {R"({"handle":"."})", "handle"},
        {R"({"handle":"-rf"})", "handle"},
        {R"({"handle":"a\u0000b"})", "handle"},
        {R"({"handle":"a\nb"})", "handle"},
        {R"({"handle":"../../etc"})", "handle"},
        {R"({"handle":["x"]})", "handle"},
        {R"({"grace_time":"soon"})", "grace_time"},
        {R"({"grace_time":-1})", "grace_time"},
        {R"({"grace_time":1.5})", "grace_time"},
        {R"({"grace_time":99999999999999999999})", "grace_time"},
        {R"({"limits":{"memory_limits":{"limit_in_bytes":"many"}}})", "limit_in_bytes"},
        {R"({"limits":{"memory_limits":{"limit_in_bytes":-1}}})", "limit_in_bytes"},
        {R"({"limits":{"memory_limits":{"limit_in_bytes":1}}})", "limit_in_bytes"},
        {R"({"limits":{"memory_limits":{"limit_in_bytes":1e3}}})", "limit_in_bytes"},
        {R"({"limits":{"memory_limits":{"limit_in_bytes":18446744073709551616}}})",
         "limit_in_bytes"},
        {R"({"limits":{"cpu_limits":{"limit_in_shares":-5}}})", "limit_in_shares"},
        {R"({"limits":{"pid_limits":{"max":"x"}}})", "max"},
        {R"({"limits":{"disk_limits":{"scope":7}}})", "scope"},
        {R"({"limits":[]})", "limits"},
        {R"({"privileged":"yes"})", "privileged"},
        {R"({"env":"A=b"})", "env"},
        {R"({"env":[7]})", "env"},
        {R"({"env":["NOEQUALS"]})", "env"},
        {R"({"env":["=x"]})", "env"},
        {R"({"env":["A=\u0000"]})", "env"},
        {R"({"properties":["x"]})", "properties"},
        {R"({"properties":{"":"x"}})", "properties"},
        {R"({"properties":{"a":7}})", "properties"},
        {R"({"bind_mounts":{}})", "bind_mounts"},
        {R"({"bind_mounts":[{"src_path":"relative","dst_path":"/x"}]})", "bind_mounts[0].src_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp/../etc","dst_path":"/x"}]})",
         "bind_mounts[0].src_path"},
        {R"({"bind_mounts":[{"src_path":"/nowhere/at/all","dst_path":"/x"}]})",
         "bind_mounts[0].src_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp","dst_path":"/x/../../y"}]})",
         "bind_mounts[0].dst_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp","dst_path":"x"}]})", "bind_mounts[0].dst_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp","dst_path":"/"}]})", "bind_mounts[0].dst_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp","dst_path":"/proc"}]})", "bind_mounts[0].dst_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp","dst_path":"/proc/self"}]})",
         "bind_mounts[0].dst_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp","dst_path":"//proc//sys"}]})",
         "bind_mounts[0].dst_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp","dst_path":"/./proc"}]})",
         "bind_mounts[0].dst_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp","dst_path":"/sys/kernel"}]})",
         "bind_mounts[0].dst_path"},
        {R"({"bind_mounts":[{"src_path":"/tmp","dst_path":"/x","mode":2}]})",
         "bind_mounts[0].mode"},
        {R"({"image":{"uri":7}})", "uri"},
        {R"({"image":{"uri":"gopher://x"}})", "gopher"},
        {R"({"image":{"uri":"/nowhere/at/all"}})", "/nowhere/at/all"},
        {R"({"image":{"uri":"/etc/passwd"}})", "/etc/passwd"},
        {R"({"rootfs":"/a","image":{"uri":"/b"}})", "Image.URI"},
        {R"({"network":"not an address"})", "invalid CIDR address: not an address"},
        {R"({"network":"10.0.0.0/33"})", "invalid CIDR address: 10.0.0.0/33"},
        {R"({"network":7})", "network"},
        {R"({"cloche":{"class":"god"}})", "class"},
        {R"({"cloche":{"seccomp_profile":"{"}})", "seccomp profile"},
        {R"([])", "object"},
        {R"("text")", "object"},
        {R"({"handle":"x")", ""},
        {"", ""},
        {"\xff\xfe", ""},
};

const Bad kProcesses[] = {
        {R"({})", "path"},
        {R"({"path":7})", "path"},
        {R"({"path":"a\u0000b"})", "path"},
        {R"({"path":"/bin/nothing-here"})", "no such file or directory"},
        {R"({"path":"nothing-here"})", "executable file not found in $PATH"},
        {R"({"path":"/etc/passwd"})", "permission denied"},
        {R"({"path":"/bin"})", "permission denied"},
        {R"({"path":"true","id":"a/b"})", "id"},
        {R"({"path":"true","id":".."})", "id"},
        {R"({"path":"true","args":"x"})", "args"},
        {R"({"path":"true","args":["\u0000"]})", "args"},
        {R"({"path":"true","env":["X"]})", "env"},
        {R"({"path":"true","user":"nobody-here"})", "nobody-here"},
        {R"({"path":"true","user":"4294967296:0"})", "uids and gids must be in range"},
        {R"({"path":"true","user":"-1"})", "uids and gids must be in range"},
        {R"({"path":"true","dir":"a\u0000"})", "dir"},
        {R"({"path":"true","dir":"/etc/passwd/x"})", "dir"},
        {R"({"path":"true","rlimits":{"nofile":"x"}})", "nofile"},
        {R"({"path":"true","rlimits":{"nofile":-3}})", "nofile"},
        {R"({"path":"true","tty":{"window_size":{"columns":70000}}})", "window_size"},
        {R"({"path":"true","tty":7})", "tty"},
        {R"({"path":"true","bind_mounts":[{"src_path":"/tmp","dst_path":"/x"}]})", "bind mounts"},
        {R"([])", "object"},
};

std::string of_size(std::size_t bytes) {
    return std::string(bytes, 'x');
}

}  // namespace

TEST_CASE("every wrong container spec is refused with the name of its field, and leaves nothing") {
    NEEDS(root, nft);
    Daemon daemon;
    const auto http = daemon.new_http();
    for (const auto& bad : kContainers) {
        CAPTURE(bad.body);
        const auto answer = post(*http, "/containers", bad.body);
        CAPTURE(answer.body);
        CHECK(answer.status >= 400);
        CHECK(answer.status < 600);
        CHECK(answer.body.find(bad.named) != std::string::npos);
        CHECK(answer.body.find("\"Message\"") != std::string::npos);
    }
    CHECK(daemon.client().list({{"garden.state", "all"}}).value().empty());
    CHECK(daemon.findings() == std::vector<std::string>{});
    daemon.create("after");  // and gardend is as well as before
}

TEST_CASE("what grows without end meets a bound with a name") {
    NEEDS(root, nft);
    Daemon daemon;
    const auto http = daemon.new_http();
    std::string mounts;
    for (int i = 0; i < 70'000; ++i)
        mounts += std::string(i == 0 ? "" : ",") + R"({"src_path":"/tmp","dst_path":"/x"})";
    std::string env;
    for (int i = 0; i < 70'000; ++i) env += std::string(i == 0 ? "" : ",") + "\"A=b\"";
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    const std::pair<std::string, std::string> large[] = {
            {R"({"handle":")" + of_size(300) + "\"}", "handle"},
            {R"({"handle":")" + of_size(1 << 20) + "\"}", "handle"},
            {R"({"bind_mounts":[)" + mounts + "]}", "bind_mounts"},
            {R"({"env":[)" + env + "]}", "env"},
            {R"({"properties":{"a":")" + of_size(3 << 20) + "\"}}", "properties"},
            {R"({"bind_mounts":[{"src_path":"/)" + of_size(5000) + R"(","dst_path":"/x"}]})",
             "src_path"},
            {R"({"unknown":)" + deep + "}", ""},
            {R"({"unknown":")" + of_size(9 << 20) + "\"}", ""},
    };
    for (const auto& [body, named] : large) {
        CAPTURE(body.substr(0, 60));
        const auto answer = post(*http, "/containers", body);
        CAPTURE(answer.body.substr(0, 300));
        CHECK(answer.status >= 400);
        CHECK(answer.status < 600);
        CHECK(answer.body.size() < 8192);
        CHECK(answer.body.find(named) != std::string::npos);
    }
    CHECK(daemon.client().list({{"garden.state", "all"}}).value().empty());
    daemon.create("after");
}

TEST_CASE("unknown fields and nulls are ignored, as Go clients and later versions need it") {
    NEEDS(root, nft);
    Daemon daemon;
    const auto http = daemon.new_http();
    const auto answer =
            post(*http, "/containers",
                 R"({"handle":"odd","from_the_future":{"a":[1,2]},"env":null,"limits":null,)"
                 R"("properties":null,"bind_mounts":null,"image":{"x":1}} trailing)");
    CAPTURE(answer.body);
    CHECK(answer.status == 200);
    CHECK(run_to_end(daemon.client(), "odd", process({"echo", "fine"})).out == "fine\n");
}

TEST_CASE("every wrong process spec is refused clearly, and leaves no process") {
    NEEDS(root, nft);
    Daemon daemon;
    daemon.create("box");
    const auto http = daemon.new_http();
    for (const auto& bad : kProcesses) {
        CAPTURE(bad.body);
        const auto answer = post(*http, "/containers/box/processes", bad.body);
        CAPTURE(answer.body);
        CHECK(answer.status >= 400);
        CHECK(answer.status < 600);
        CHECK(answer.body.find(bad.named) != std::string::npos);
    }
    CHECK(daemon.client().processes("box").value().empty());
    CHECK(run_to_end(daemon.client(), "box", process({"echo", "fine"})).out == "fine\n");
    // The other verbs with bodies.
    for (const char* target :
         {"/containers/box/stop", "/containers/box/grace_time", "/containers/box/properties/key"}) {
        for (const char* body : {"[]", "\"x\"", "{", "1.5"}) {
            base::http::ClientRequest request{
                    .method = "PUT", .target = target, .headers = {}, .body = body};
            CAPTURE(target);
            CAPTURE(body);
            const auto answer = http->call(std::move(request)).value();
            CHECK(answer.status >= 400);
            CHECK(answer.status < 600);
        }
    }
    CHECK(daemon.client().info("box").value().state == "active");
}
