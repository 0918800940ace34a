// What is ours: /cloche/v1, /metrics, /healthz (docs/api.md).
#include "rootfs/image/digest.hpp"
#include "server_fixture.hpp"
#include "tests/support/needs.hpp"

#include <filesystem>
#include <fstream>
#include <regex>

#include <catch2/catch.hpp>

using namespace test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

void write_file(const fs::path& path, const std::string& data) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << data;
}

struct Blob {
    std::string digest;
    std::size_t size = 0;

    std::string descriptor(const std::string& type) const {
        return R"({"mediaType":")" + type + R"(","digest":")" + digest + R"(","size":)" +
               std::to_string(size) + "}";
    }
};

Blob put_blob(const fs::path& layout, const std::string& data) {
    const auto digest = rootfs::sha256(data).get();
    write_file(layout / "blobs/sha256" / digest.substr(7), data);
    return {.digest = digest, .size = data.size()};
}

// An OCI image layout with one layer.
void make_layout(const fs::path& layout, const std::string& text) {
    const auto tar = tar_of({{"bin/", ""}, {"text", text}});
    const auto layer = put_blob(layout, tar);
    const auto config = put_blob(
            layout, R"({"architecture":"amd64","os":"linux","config":{"Env":["A=B"],)"
                    R"("User":"alice","WorkingDir":"/w","Cmd":["x"]},)"
                    R"("rootfs":{"type":"layers","diff_ids":[")" +
                            layer.digest + "\"]}}");
    const std::string type = "application/vnd.oci.image.";
    const auto manifest = put_blob(
            layout, R"({"schemaVersion":2,"mediaType":")" + type +
                            R"(manifest.v1+json","config":)" +
                            config.descriptor(type + "config.v1+json") + R"(,"layers":[)" +
                            layer.descriptor(type + "layer.v1.tar") + "]}");
    write_file(layout / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
    write_file(
            layout / "index.json", R"({"schemaVersion":2,"manifests":[)" +
                                           manifest.descriptor(type + "manifest.v1+json") + "]}");
}

// The events of a whole answer: name and data.
std::vector<std::pair<std::string, std::string>> events_of(const Answer& answer) {
    std::vector<std::pair<std::string, std::string>> out;
    const std::regex event("event: ([a-z]+)\ndata: ([^\n]*)\n\n");
    for (std::sregex_iterator it(answer.body.begin(), answer.body.end(), event), end; it != end;
         ++it)
        out.emplace_back((*it)[1], (*it)[2]);
    return out;
}

}  // namespace

TEST_CASE("an image is pulled with progress, listed, inspected, in use, removed and pruned") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto& at = fixture.endpoint();
    const auto layout = fixture.directory() + "/layout";
    make_layout(layout, "hello");
    CHECK(call(at, "GET", "/cloche/v1/images").line() == "200 {\"images\":[]}\n");
    const auto pulled =
            call(at, "POST", "/cloche/v1/images/pull", R"({"uri":"oci://)" + layout + "\"}");
    CHECK(pulled.head ==
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
          "Transfer-Encoding: chunked\r\nConnection: close\r\n");
    const auto events = events_of(pulled);
    INFO(pulled.body);
    REQUIRE(events.size() >= 2);
    const std::regex progress(
            R"re(\{"step":"(resolving|downloading|unpacking|verifying|done)","layer":"[^"]*",)re"
            R"("current":\d+,"total":\d+\})");
    for (std::size_t i = 0; i + 1 < events.size(); ++i) {
        CHECK(events[i].first == "progress");
        CHECK(std::regex_match(events[i].second, progress));
    }
    CHECK(events.back().first == "done");
    std::smatch image;
    REQUIRE(std::regex_match(
            events.back().second, image,
            std::regex(R"re(\{"reference":"([^"]+)","digest":"(sha256:[0-9a-f]{64})","layers":\[)re"
                       R"("sha256:[0-9a-f]{64}"\],"size":\d+,"config":\{"env":\["A=B"\],)"
                       R"("user":"alice","working_dir":"/w","entrypoint":\[\],"cmd":\["x"\],)"
                       R"("stop_signal":""\},"decisions":\[.*\]\})")));
    const auto reference = base::http::percent_encode(image[1].str());
    const auto inspect = "/cloche/v1/images/inspect?reference=" + reference;
    CHECK(call(at, "GET", inspect).line() == "200 " + events.back().second + "\n");
    CHECK(std::regex_match(
            call(at, "GET", "/cloche/v1/images").body,
            std::regex(R"(\{"images":\[\{"reference":"[^"]+","digest":"sha256:[0-9a-f]{64}",)"
                       R"("size":\d+,"created_at":[1-9]\d*,"used_by":0,"layers":1\}\]\}\n)")));
    const auto created = call(
            at, "POST", "/containers", R"({"handle":"u","image":{"uri":"oci://)" + layout + "\"}}");
    INFO(created.body);
    REQUIRE(created.status == 200);
    CHECK(call(at, "GET", "/cloche/v1/images").body.find("\"used_by\":1") != std::string::npos);
    const auto in_use = call(at, "DELETE", "/cloche/v1/images?reference=" + reference);
    CHECK(in_use.status == 409);
    CHECK(in_use.body.starts_with("{\"Type\":\"\",\"Message\":\""));
    CHECK(call(at, "DELETE", "/containers/u").status == 200);
    CHECK(call(at, "DELETE", "/cloche/v1/images?reference=" + reference).line() == "200 {}\n");
    CHECK(call(at, "GET", inspect).status == 404);
    CHECK(std::regex_match(
            call(at, "POST", "/cloche/v1/images/prune").line(),
            std::regex("200 \\{\"freed_bytes\":\\d+\\}\n")));
    CHECK(call(at, "GET", "/cloche/v1/images").line() == "200 {\"images\":[]}\n");
}

TEST_CASE("a pull that fails ends with an error event; a request that is wrong has a status") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto& at = fixture.endpoint();
    const auto missing =
            call(at, "POST", "/cloche/v1/images/pull", R"({"uri":"oci:///does/not/exist"})");
    CHECK(missing.status == 200);
    const auto events = events_of(missing);
    INFO(missing.body);
    REQUIRE(!events.empty());
    CHECK(events.back().first == "error");
    CHECK(std::regex_match(
            events.back().second,
            std::regex(R"re(\{"kind":"not_found","message":"[^"]*does/not/exist.*"\})re")));
    CHECK(call(at, "POST", "/cloche/v1/images/pull", "{}").body.find("uri: missing") !=
          std::string::npos);
    CHECK(call(at, "POST", "/cloche/v1/images/pull", "").status == 400);
    CHECK(call(at, "GET", "/cloche/v1/images/inspect").body.find("reference: missing") !=
          std::string::npos);
    CHECK(call(at, "GET", "/cloche/v1/images/inspect?reference=nope").status == 404);
    CHECK(call(at, "DELETE", "/cloche/v1/images").status == 400);
    CHECK(call(at, "DELETE", "/cloche/v1/images?reference=nope").status == 404);
}

TEST_CASE("the typed client pulls with progress, and lists what is there") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto layout = fixture.directory() + "/layout";
    make_layout(layout, "typed");
    auto client = fixture.client();
    int steps = 0;
    const auto image =
            client.pull({.uri = "oci://" + layout}, [&](const auto&) { ++steps; }).value();
    CHECK(steps > 0);
    CHECK(image.config.user == "alice");
    CHECK(client.images().value().at(0).digest == image.digest);
    CHECK(client.image(image.reference).value().layers == image.layers);
    CHECK(client.pull({.uri = "oci:///nowhere"}, [](const auto&) {}).error().kind ==
          base::Errc::not_found);
    client.remove_image(image.reference).value();
    (void)client.prune_images().value();
    CHECK(client.doctor().value().empty());
    CHECK(!client.features().value().empty());
    CHECK(!client.plan({}).value().empty());
}

TEST_CASE("a plan is what create would do, as JSON, and nothing is made") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    const auto answer =
            call(fixture.endpoint(), "POST", "/cloche/v1/plan", R"({"handle":"planned"})");
    CHECK(answer.status == 200);
    CHECK(answer.body.starts_with("{"));
    CHECK(base::json::Document::parse(answer.body, {}, base::json::Rest::ignore));
    CHECK(call(fixture.endpoint(), "GET", "/containers?garden.state=all").body ==
          "{\"Handles\":[]}\n");
    CHECK(call(fixture.endpoint(), "POST", "/cloche/v1/plan", R"({"handle":"a/b"})").status == 400);
}

TEST_CASE("doctor finds nothing on a healthy host, and features say what the kernel has") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    CHECK(call(fixture.endpoint(), "GET", "/cloche/v1/doctor").line() == "200 {\"orphans\":[]}\n");
    const auto features = call(fixture.endpoint(), "GET", "/cloche/v1/features");
    CHECK(features.status == 200);
    CHECK(base::json::Document::parse(features.body, {}, base::json::Rest::ignore));
}

TEST_CASE("the processes of a container and the end of their output can be seen") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto& at = fixture.endpoint();
    CHECK(call(at, "GET", "/cloche/v1/containers/c/processes").line() ==
          "200 {\"processes\":[]}\n");
    const std::string script = "echo out; echo err >&2; exit 3";
    auto spec = ServerFixture::process({"sh", "-c", script}, "alice");
    spec.id = "p";
    auto process = begin(at, "POST", "/containers/c/processes", base::json::encode(spec));
    (void)process.main.rest();
    CHECK(std::regex_match(
            call(at, "GET", "/cloche/v1/containers/c/processes").body,
            std::regex(R"(\{"processes":\[\{"id":"p","user":"alice","argv":\["sh","-c",)"
                       R"("echo out; echo err (>|\\u003e)(&|\\u0026)2; exit 3"\],"exited":true,)"
                       R"("exit_code":3,"host_pid":\d+\}\]\}\n)")));
    const auto logs = call(at, "GET", "/cloche/v1/containers/c/processes/p/logs?stream=out");
    CHECK(logs.line() == "200 out\n");
    CHECK(logs.head.find("Content-Type: application/octet-stream\r\n") != std::string::npos);
    CHECK(call(at, "GET", "/cloche/v1/containers/c/processes/p/logs").body == "out\n");
    CHECK(call(at, "GET", "/cloche/v1/containers/c/processes/p/logs?stream=err").body == "err\n");
    CHECK(call(at, "GET", "/cloche/v1/containers/c/processes/p/logs?stream=x").status == 400);
    const auto unknown = call(at, "GET", "/cloche/v1/containers/c/processes/q/logs");
    CHECK(unknown.status == 404);
    CHECK(unknown.body.starts_with("{\"Type\":\"ProcessNotFoundError\""));
    CHECK(call(at, "GET", "/cloche/v1/containers/x/processes")
                  .body.starts_with("{\"Type\":\"ContainerNotFoundError\""));
    auto client = fixture.client();
    CHECK(client.processes("c").value().at(0).exit_code == 3);
    CHECK(client.logs("c", "p", true).value() == "err\n");
}

TEST_CASE("metrics are Prometheus text and count what was served; health is one word") {
    NEEDS(root, userns, nft);
    ServerFixture fixture;
    fixture.create("c");
    const auto& at = fixture.endpoint();
    CHECK(call(at, "GET", "/healthz").line() == "200 ok\n");
    CHECK(call(at, "GET", "/containers/nope/info").status == 404);
    const auto metrics = call(at, "GET", "/metrics");
    CHECK(metrics.head.find("Content-Type: text/plain; version=0.0.4\r\n") != std::string::npos);
    for (const char* line :
         {"gardend_containers 1\n",
          "gardend_requests_total{method=\"POST\",route=\"/containers\",code=\"200\"} 1\n",
          "route=\"/containers/:handle/info\",code=\"404\"} 1\n", "gardend_streams 0\n",
          "gardend_at_work{share=\"creates\"} 0\n", "# TYPE gardend_request_seconds histogram\n",
          "gardend_pool_threads{pool=\"bulk\"} 0\n"}) {
        INFO(line);
        CHECK(metrics.body.find(line) != std::string::npos);
    }
    INFO(metrics.body);
    CHECK(metrics.body.find("process_resident_memory_bytes ") != std::string::npos);
}
