#include "base/sys/file.hpp"
#include "rootfs/fetch/address.hpp"
#include "rootfs/fetch/auth.hpp"
#include "rootfs/fetch/files.hpp"
#include "rootfs/fetch/url.hpp"

#include <string>

#include <catch2/catch.hpp>

using base::Errc;

namespace {

// A ustar header by hand: names, sizes and types as no tool would write them.
std::string member(
        const std::string& name, char type, const std::string& data, const std::string& size = "") {
    std::string block(512, '\0');
    block.replace(0, name.size(), name);
    char octal[13];
    (void)std::snprintf(octal, sizeof octal, "%011zo", data.size());
    block.replace(124, 12, size.empty() ? std::string(octal, 12) : size);
    block[156] = type;
    block.replace(
            257, 8,
            std::string(
                    "ustar\0"
                    "00",
                    8));
    block.replace(148, 8, 8, ' ');
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    (void)std::snprintf(octal, sizeof octal, "%06o", sum);
    block.replace(148, 7, std::string(octal, 7));
    return block + data + std::string((512 - data.size() % 512) % 512, '\0');
}

base::Result<std::map<std::string, rootfs::TarMember>> index(const std::string& bytes) {
    auto file = base::sys::sealed_memory_file("tar", bytes, false);
    REQUIRE(file);
    return rootfs::index_tar(*file);
}

std::string pax(const std::string& key, const std::string& value) {
    const auto body = " " + key + "=" + value + "\n";
    std::size_t length = body.size() + 2;
    if (std::to_string(length).size() + body.size() != length) ++length;
    return std::to_string(length) + body;
}

}  // namespace

TEST_CASE("a challenge is read with quotes, commas and any case") {
    const auto bearer = rootfs::parse_challenge(
            R"(BEARER realm="https://auth.example/token?x=1",service="r,e\"g", Scope="repository:a/b:pull")");
    REQUIRE(bearer);
    CHECK(bearer->scheme == "bearer");
    CHECK(bearer->parameters.at("realm") == "https://auth.example/token?x=1");
    CHECK(bearer->parameters.at("service") == "r,e\"g");
    CHECK(bearer->parameters.at("scope") == "repository:a/b:pull");
    CHECK(rootfs::parse_challenge("Basic realm=x")->scheme == "basic");
    CHECK_FALSE(rootfs::parse_challenge(""));
    CHECK_FALSE(rootfs::parse_challenge(std::string(10'000, 'a')));
    CHECK(rootfs::parse_challenge("Bearer realm=\"unfinished"));
}

TEST_CASE("a token answer is bounded and must hold a printable token") {
    CHECK(rootfs::parse_token(R"({"token":"abc","expires_in":300})")->lifetime ==
          std::chrono::seconds(300));
    CHECK(rootfs::parse_token(R"({"access_token":"abc"})")->value == "abc");
    CHECK_FALSE(rootfs::parse_token(R"({})"));
    CHECK_FALSE(rootfs::parse_token(R"({"token":"a\r\nHost: evil"})"));
    CHECK_FALSE(rootfs::parse_token(R"({"token":7})"));
    CHECK_FALSE(rootfs::parse_token("no json"));
}

TEST_CASE("a kept token is forgotten when it ends") {
    rootfs::TokenCache cache;
    cache.keep("a", "Bearer x", std::chrono::seconds(60));
    cache.keep("b", "Bearer y", std::chrono::seconds(5));  // shorter than the margin
    CHECK(cache.find("a") == "Bearer x");
    CHECK(cache.find("b").empty());
    cache.drop("a");
    CHECK(cache.find("a").empty());
}

TEST_CASE("addresses that a foreign server must not send us to are known") {
    for (const char* text :
         {"127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
          "0.0.0.0", "224.0.0.1", "::1", "::", "fe80::1", "fd00::1", "::ffff:10.0.0.1",
          "ff02::1"}) {
        INFO(text);
        CHECK(rootfs::is_private_address(std::string_view(text)));
    }
    for (const char* text :
         {"8.8.8.8", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8", "example.org"}) {
        INFO(text);
        CHECK_FALSE(rootfs::is_private_address(std::string_view(text)));
    }
}

TEST_CASE("origins are compared with their port, and a URL with a user name is refused") {
    CHECK(*rootfs::origin_of("https://Host.example/a") ==
          *rootfs::origin_of("https://host.example:443/b"));
    CHECK(*rootfs::origin_of("https://host.example/") !=
          *rootfs::origin_of("http://host.example/"));
    CHECK_FALSE(rootfs::origin_of("https://registry@evil.example/"));
    CHECK_FALSE(rootfs::origin_of("file:///etc/passwd"));
    CHECK(*rootfs::resolve_url("https://a.example/v2/x", "/blob?y=1") ==
          "https://a.example/blob?y=1");
    CHECK_FALSE(rootfs::resolve_url("https://a.example/", "gopher://b/"));
    CHECK(rootfs::escape_query("repository:a/b:pull") == "repository%3Aa%2Fb%3Apull");
}

TEST_CASE("the members of a tar file are found under short, long and pax names") {
    const auto found =
            index(member("plain", '0', "12345") + member("x", 'x', pax("path", "long/pax")) +
                  member("short", '0', "67") +
                  member("././@LongLink", 'L', std::string("long/gnu\0", 9)) +
                  member("short", '0', "") + member("link", '2', "") + std::string(1024, '\0'));
    REQUIRE(found);
    CHECK(found->at("plain").offset == 512);
    CHECK(found->at("plain").size == 5);
    CHECK(found->at("long/pax").size == 2);
    CHECK(found->contains("long/gnu"));
}

TEST_CASE("a damaged tar file is refused") {
    auto broken = member("a", '0', "data");
    CHECK_FALSE(index(broken.substr(0, 514)));  // cut off in the data
    CHECK_FALSE(index(broken.substr(0, 100)));  // cut off in the header
    broken[0] = 'b';
    CHECK_THAT(index(broken).error().text, Catch::Contains("checksum"));
    CHECK_FALSE(
            index(member("a", '0', "", std::string("77777777777\0", 12))));  // larger than the file
    CHECK_FALSE(index(member("a", '0', "", "\xff" + std::string(11, '\xff'))));  // negative
    CHECK_FALSE(
            index(member("a", '0', "", "\x80" + std::string(11, '\xff'))));  // beyond all bounds
    CHECK_FALSE(index(member("x", 'x', "99 path=a\n")));
    CHECK_FALSE(index(member("x", 'x', "0 path=a\n")));
    CHECK_FALSE(index(member("x", 'x', "nonsense")));
    CHECK(index("")->empty());
}
