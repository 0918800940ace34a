#include "rootfs/image/manifest.hpp"

#include <string>

#include <catch2/catch.hpp>

using base::Errc;
using rootfs::parse_config;
using rootfs::parse_document;

namespace {

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');
constexpr const char* kOci = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kOciIndex = "application/vnd.oci.image.index.v1+json";
constexpr const char* kDocker = "application/vnd.docker.distribution.manifest.v2+json";

std::string descriptor(
        const std::string& digest, const std::string& size = "10", const std::string& type = "") {
    return R"({"mediaType":")" +
           (type.empty() ? "application/vnd.oci.image.layer.v1.tar+gzip" : type) +
           R"(","digest":")" + digest + R"(","size":)" + size + "}";
}

std::string manifest(const std::string& layers, const std::string& more = "") {
    return R"({"schemaVersion":2,"config":)" +
           descriptor(kA, "10", "application/vnd.oci.image.config.v1+json") + R"(,"layers":[)" +
           layers + "]" + more + "}";
}

void refused(const std::string& body, const std::string& type, Errc kind, const std::string& text) {
    const auto parsed = parse_document(body, type);
    INFO(body.substr(0, 300));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind == kind);
    CHECK_THAT(parsed.error().text, Catch::Contains(text));
}

}  // namespace

TEST_CASE("manifests of both families are read") {
    const auto oci =
            parse_document(manifest(descriptor(kB)), std::string(kOci) + "; charset=utf-8");
    REQUIRE(oci);
    CHECK_FALSE(oci->is_index);
    CHECK(oci->manifest.layers.at(0).digest.get() == kB);
    CHECK(oci->manifest.layers.at(0).packing == rootfs::Packing::gzip);
    const auto docker = parse_document(
            manifest(
                    descriptor(kB, "1", "application/vnd.docker.image.rootfs.diff.tar.gzip") + "," +
                            descriptor(kA, "2", "application/vnd.oci.image.layer.v1.tar+zstd") +
                            "," + descriptor(kA, "2", "application/vnd.oci.image.layer.v1.tar"),
                    std::string(R"(,"mediaType":")") + kDocker + "\""),
            "");
    REQUIRE(docker);
    CHECK(docker->manifest.layers.at(0).packing == rootfs::Packing::gzip);
    CHECK(docker->manifest.layers.at(1).packing == rootfs::Packing::zstd);
    CHECK(docker->manifest.layers.at(2).packing == rootfs::Packing::none);
}

TEST_CASE("a document that could be read in two ways is refused") {
    refused(manifest(descriptor(kB), R"(,"manifests":[])"), kOci, Errc::corrupt, "at once");
    refused(manifest(descriptor(kB), std::string(R"(,"mediaType":")") + kDocker + "\""), kOci,
            Errc::corrupt, "came as");
    refused(manifest(descriptor(kB)), kOciIndex, Errc::corrupt, "members of a manifest");
    refused(R"({"manifests":[]})", kOci, Errc::corrupt, "members of an index");
    refused(manifest(descriptor(kB), R"(,"schemaVersion":2)"), kOci, Errc::corrupt, "twice");
    refused(R"({"schemaVersion":2})", kOci, Errc::corrupt, "neither");
}

TEST_CASE("a malformed manifest is refused with the member that is wrong") {
    refused("", kOci, Errc::corrupt, "not valid JSON");
    refused("[]", kOci, Errc::corrupt, "must be an object");
    refused("{\"config\":", kOci, Errc::corrupt, "not valid JSON");
    refused(manifest(""), kOci, Errc::unsupported, "no layers");
    refused(manifest(descriptor("sha256:xyz")), kOci, Errc::corrupt, "layer 0: digest");
    refused(manifest(descriptor(kB, "-1")), kOci, Errc::corrupt, "'size'");
    refused(manifest(descriptor(kB, "1.5")), kOci, Errc::corrupt, "'size'");
    refused(manifest(descriptor(kB, "\"1\"")), kOci, Errc::corrupt, "'size'");
    refused(manifest(descriptor(kB, "18446744073709551615") + "," + descriptor(kB, "2")), kOci,
            Errc::exhausted, "limit");
    refused(manifest("7"), kOci, Errc::corrupt, "layer 0 must be an object");
    refused(manifest(descriptor(kB, "1", "application/x-shell")), kOci, Errc::unsupported,
            "not a layer");
    refused(R"({"config":7,"layers":[]})", kOci, Errc::corrupt, "config must be an object");
    refused(R"({"schemaVersion":1,"fsLayers":[]})", "", Errc::unsupported, "schema 1");
    refused(R"({"mediaType":"application/vnd.cncf.helm","layers":[]})", "", Errc::unsupported,
            "not an image");
    std::string many;
    for (int i = 0; i < 128; ++i) many += (i == 0 ? "" : ",") + descriptor(kB);
    refused(manifest(many), kOci, Errc::exhausted, "128 layers, the limit is 127");
    refused(std::string(100, '[') + std::string(100, ']'), kOci, Errc::corrupt, "deeper than 64");
    refused(std::string((4 << 20) + 1, ' '), kOci, Errc::exhausted, "4194304");
}

TEST_CASE("the entry of this platform is chosen from an index") {
    const auto entry = [](const std::string& digest, const std::string& platform) {
        return R"({"digest":")" + digest + R"(","size":1,"platform":)" + platform + "}";
    };
    const auto index = parse_document(
            R"({"manifests":[)" + entry(kA, R"({"os":"windows","architecture":"amd64"})") + "," +
                    entry(kB, R"({"os":"linux","architecture":"amd64"})") + "]}",
            kOciIndex);
    REQUIRE(index);
    const auto chosen = choose(index->entries, {.os = "linux", .architecture = "amd64"});
    REQUIRE(chosen);
    CHECK(chosen->manifest.digest.get() == kB);
    const auto missing = choose(index->entries, {.os = "linux", .architecture = "riscv64"});
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind == Errc::unsupported);
    CHECK_THAT(
            missing.error().text,
            Catch::Contains("linux/riscv64") && Catch::Contains("windows/amd64, linux/amd64"));
    std::string many;
    for (int i = 0; i <= 1000; ++i) many += (i == 0 ? "" : ",") + descriptor(kB);
    refused(R"({"manifests":[)" + many + "]}", kOciIndex, Errc::exhausted,
            "1001 entries, the limit is 1000");
}

TEST_CASE("of an image's configuration only the honoured fields are taken") {
    const auto config = parse_config(
            R"({"os":"linux","architecture":"amd64","config":{"Env":["A=1","BROKEN","=x"],"User":"app","WorkingDir":"/w",)"
            R"("Entrypoint":["/e"],"Cmd":null,"StopSignal":"SIGINT","Labels":{"cloche.privileged":"true"}},)"
            R"("rootfs":{"type":"layers","diff_ids":[")" +
            kA + "\"]}}");
    REQUIRE(config);
    CHECK(config->config.env == std::vector<std::string>{"A=1"});
    CHECK(config->config.user == "app");
    CHECK(config->config.entrypoint == std::vector<std::string>{"/e"});
    CHECK(config->config.cmd.empty());
    CHECK(config->diff_ids.size() == 1);
    CHECK_FALSE(parse_config("{}"));
    CHECK_FALSE(parse_config(R"({"rootfs":{"diff_ids":["x"]}})"));
    CHECK_FALSE(parse_config(R"({"rootfs":{"diff_ids":[]},"config":{"Env":[1]}})"));
    const auto nul = parse_config(R"({"rootfs":{"diff_ids":[]},"config":{"User":"a\u0000b"}})");
    REQUIRE_FALSE(nul);
    CHECK_THAT(nul.error().text, Catch::Contains("NUL"));
}

TEST_CASE("a configuration that does not fit its manifest or this machine is refused") {
    const auto document = parse_document(manifest(descriptor(kB)), kOci);
    REQUIRE(document);
    auto config = parse_config(R"({"os":"linux","architecture":"s390x","rootfs":{"diff_ids":[]}})");
    REQUIRE(config);
    const rootfs::Platform here{.os = "linux", .architecture = "amd64"};
    CHECK_THAT(
            check_pair(document->manifest, *config, here).error().text,
            Catch::Contains("1 layers") && Catch::Contains("0 diff ids"));
    config->diff_ids.push_back(*rootfs::parse_digest(kA));
    CHECK(check_pair(document->manifest, *config, here).error().kind == Errc::unsupported);
    config->platform.architecture = "amd64";
    CHECK(check_pair(document->manifest, *config, here));
}
