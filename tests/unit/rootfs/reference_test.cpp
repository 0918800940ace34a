#include "rootfs/image/reference.hpp"

#include <catch2/catch.hpp>

using rootfs::parse_endpoint;
using rootfs::parse_reference;
using rootfs::Reference;
using rootfs::Source;

namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

Reference good(const std::string& uri) {
    auto parsed = parse_reference(uri);
    INFO(uri << ": " << (parsed ? "" : parsed.error().text));
    REQUIRE(parsed);
    return *parsed;
}

std::string bad(const std::string& uri) {
    const auto parsed = parse_reference(uri);
    INFO(uri);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind == base::Errc::invalid);
    return parsed.error().text;
}

}  // namespace

TEST_CASE("registry references are read in all their spellings") {
    const auto hub = good("docker:///busybox");
    CHECK(hub == Reference{.source = Source::registry, .repository = "busybox", .tag = "latest"});
    CHECK(good("docker:///cloudfoundry/garden-rootfs#v1").tag == "v1");
    CHECK(good("docker://registry.example:5000/a/b:1.2").host == "registry.example:5000");
    CHECK(good("docker://registry.example:5000/a/b:1.2").tag == "1.2");
    CHECK(good("docker://Registry.Example/a").host == "registry.example");
    CHECK(good("docker://[::1]:5000/a").host == "[::1]:5000");
    const auto pinned = good("docker:///a@" + kDigest);
    CHECK(pinned.digest.get() == kDigest);
    CHECK(pinned.tag.empty());
    CHECK(good("docker:///a:tag@" + kDigest).tag == "tag");
}

TEST_CASE("a malformed registry reference is refused with the part that is wrong") {
    CHECK_THAT(
            bad("docker://busybox"),
            Catch::Contains("names no repository") && Catch::Contains("docker:///busybox"));
    CHECK_THAT(bad("docker:///Busybox"), Catch::Contains("lower case"));
    CHECK_THAT(bad("docker:///a//b"), Catch::Contains("not a valid part"));
    CHECK_THAT(bad("docker:///../../etc"), Catch::Contains("not a valid part"));
    CHECK_THAT(bad("docker:///a:"), Catch::Contains("tag is empty"));
    CHECK_THAT(bad("docker:///a#-x"), Catch::Contains("tag '-x'"));
    CHECK_THAT(
            bad("docker:///a:" + std::string(129, 't')),
            Catch::Contains("129") && Catch::Contains("128"));
    CHECK_THAT(
            bad("docker:///" + std::string(256, 'r')),
            Catch::Contains("256") && Catch::Contains("255"));
    CHECK_THAT(bad("docker:///a@sha256:abc"), Catch::Contains("sha256:<64 hex digits>"));
    CHECK_THAT(bad("docker:///a@md5:" + std::string(32, 'a')), Catch::Contains("digest"));
    CHECK_THAT(bad("docker://host:99999/a"), Catch::Contains("out of range"));
    CHECK_THAT(bad("docker://user@host/a"), Catch::Contains("digest"));
    CHECK_THAT(bad("docker://ho st/a"), Catch::Contains("space"));
    CHECK_THAT(bad(""), Catch::Contains("empty"));
    CHECK_THAT(bad("ftp://x/y"), Catch::Contains("unknown form"));
    CHECK_THAT(bad(std::string(5000, 'x')), Catch::Contains("4096"));
    CHECK_THAT(bad(std::string("/a\0b", 4)), Catch::Contains("control"));
}

TEST_CASE("local references are absolute paths, and never the host's root") {
    CHECK(good("/images/base.tar") ==
          Reference{.source = Source::local, .path = "/images/base.tar"});
    CHECK(good("oci:///dir:v1") ==
          Reference{.source = Source::oci_layout, .tag = "v1", .path = "/dir"});
    CHECK(good("oci-archive:/a.tar").source == Source::oci_archive);
    CHECK(good("docker-archive:/a.tar:name:tag").tag == "name:tag");
    CHECK(good("raw:///dir/").path == "/dir");
    CHECK(good("preloaded:cflinuxfs4").name == "cflinuxfs4");
    CHECK_THAT(bad("oci://dir"), Catch::Contains("absolute"));
    CHECK_THAT(bad("raw:///"), Catch::Contains("host's own root"));
    CHECK_THAT(bad("/"), Catch::Contains("host's own root"));
    CHECK_THAT(bad("preloaded:../x"), Catch::Contains("letters"));
    CHECK_THAT(bad("preloaded:"), Catch::Contains("letters"));
}

TEST_CASE("one registry image has one canonical name") {
    const auto hub = *parse_endpoint("registry-1.docker.io", "");
    const auto own = *parse_endpoint("http://127.0.0.1:5000", "");
    CHECK(own.plain_http);
    CHECK(canonical_name(good("docker:///busybox"), hub) ==
          "docker://docker.io/library/busybox:latest");
    CHECK(canonical_name(good("docker:///a/b#x"), hub) ==
          canonical_name(good("docker://docker.io/a/b:x"), hub));
    CHECK(canonical_name(good("docker:///busybox"), own) ==
          "docker://127.0.0.1:5000/busybox:latest");
    CHECK(canonical_name(good("docker:///a:t@" + kDigest), own) ==
          "docker://127.0.0.1:5000/a@" + kDigest);
    CHECK_FALSE(parse_endpoint("http://", "mirrors"));
    CHECK_FALSE(parse_endpoint("host/path", "mirrors"));
}

TEST_CASE("a layer on a local image is read with its address, its place and its digest") {
    const auto hex = kDigest.substr(7);
    const auto layered =
            good("preloaded+layer:/srv/"
                 "stack.tar?layer=https%3A%2F%2Fblobs%2Fa%3Fsig%3D1%252F&layer_path="
                 "%2Fhome%2F%2Fvcap%2F&layer_digest=" +
                 hex);
    CHECK(layered.source == Source::layered);
    CHECK(layered.path == "/srv/stack.tar");
    CHECK(layered.layer_url == "https://blobs/a?sig=1%2F");
    CHECK(layered.layer_path == "home/vcap");
    CHECK(layered.digest.get() == kDigest);
    const auto with = [&](const std::string& layer, const std::string& path) {
        return "preloaded+layer:/s?layer=" + layer + "&layer_path=" + path + "&layer_digest=" + hex;
    };
    CHECK(good(with("http://x", "/")).layer_path.empty());
    for (const auto& wrong :
         {with("ftp://x", "/a"), with("http://x%0d%0aevil", "/a"), with("http://x%00", "/a"),
          with("http://x%2", "/a"), with("http://x%zz", "/a"), with("http://x", ""),
          with("http://x", "a"), with("http://x", "/a/%2e%2e/b"), with("", "/a"),
          with("http://x", "/a") + "&more=1", with("http://x", "/a") + "&layer=http://y",
          std::string("preloaded+layer:/s"), std::string("preloaded+layer:relative?layer=http://x"),
          with("http://x", "/a") + "0"})
        (void)bad(wrong);
    std::string deep;
    for (std::size_t i = 0; i <= rootfs::kMaxLayerDepth; ++i) deep += "/d";
    CHECK(bad(with("http://x", deep)).find("deep") != std::string::npos);
}
