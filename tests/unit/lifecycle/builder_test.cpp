#include "lifecycle/builder/request.hpp"
#include "lifecycle/builder/result.hpp"

#include <catch2/catch.hpp>

using namespace lifecycle;

namespace {

std::string config_with(std::string_view run) {
    return std::string(R"({"os":"linux","rootfs":{"diff_ids":[]},"config":)").append(run) + "}";
}

}  // namespace

TEST_CASE("Docker's own registry is left out of a name and others are kept") {
    const auto shown = [](std::string_view text) { return parse_image_name(text).value().shown; };
    CHECK(shown("busybox") == "busybox:latest");
    CHECK(shown("team/app:1") == "team/app:1");
    CHECK(shown("docker.io/team/app") == "team/app:latest");
    CHECK(shown("index.docker.io/team/app:2") == "team/app:2");
    CHECK(shown("localhost/app") == "localhost/app:latest");
    CHECK(shown("registry:5000/a/b/c:v1") == "registry:5000/a/b/c:v1");
    CHECK(shown("quay.example/app@sha256:" + std::string(64, 'a')) ==
          "quay.example/app@sha256:" + std::string(64, 'a'));
    CHECK(parse_image_name("team/app").value().reference.host.empty());
    for (const char* text : {"", "Upper", "a b", "a:", "a@sha256:12", "docker://a/b", "a#b", "/a"})
        CHECK_FALSE(parse_image_name(text));
}

TEST_CASE("insecure registries have a port and no scheme") {
    CHECK(parse_insecure_registries("").value().empty());
    CHECK(parse_insecure_registries("a:1,[::1]:5000").value() ==
          std::vector<std::string>{"a:1", "[::1]:5000"});
    for (const char* text : {"a", "http://a:1", "a:", ":1", "a:b", "[::1]", "a:1,,b:2"})
        CHECK_FALSE(parse_insecure_registries(text));
    std::string many;
    for (std::size_t i = 0; i <= kMaxInsecureRegistries; ++i) many += "a:1,";
    CHECK(parse_insecure_registries(many).error().text ==
          "insecure registries: over the limit of 64");
}

TEST_CASE("ports come by number with tcp first and once") {
    const auto image = read_staged_image(
            "n", config_with(R"({"ExposedPorts":{"90/udp":{},"90":{},"90/tcp":{},"9/sctp":{}}})"));
    CHECK(execution_metadata(image.value()) ==
          R"({"ports":[{"Port":9,"Protocol":"sctp"},{"Port":90,"Protocol":"tcp"},)"
          R"({"Port":90,"Protocol":"udp"}]})");
    for (const char* port : {"", "0", "65536", "80/", "80/icmp", "80-90/tcp"}) {
        const auto text = std::string(R"({"ExposedPorts":{")") + port + R"(":{}}})";
        CHECK_FALSE(read_staged_image("n", config_with(text)));
    }
    CHECK_FALSE(read_staged_image("n", config_with(R"({"ExposedPorts":[]})")));
}

TEST_CASE("empty members are left out and the command is always there") {
    const auto image = read_staged_image("name:tag", config_with("{}")).value();
    CHECK(staging_result(image) ==
          R"({"lifecycle_type":"docker","lifecycle_metadata":{"docker_image":"name:tag"},)"
          R"("process_types":{"web":""},"execution_metadata":"{}"})");
}
