#include "base/http/url.hpp"

#include <catch2/catch.hpp>

using base::http::parse_url;

TEST_CASE("a URL is taken apart and shown without its secrets") {
    const auto url = parse_url("HTTPS://us%65r:p%3Aw@[::1]:8443/a b?token=x#f").value();
    CHECK(url.endpoint.kind == base::http::Endpoint::Kind::tls);
    CHECK(url.endpoint.host == "::1");
    CHECK(url.endpoint.port == 8443);
    CHECK(url.target == "/a%20b?token=x");
    CHECK(url.authorization == "Basic dXNlcjpwOnc=");
    CHECK(url.host_header() == "[::1]:8443");
    CHECK(url.shown() == "https://[::1]:8443/a%20b");
    CHECK(parse_url("http://h").value().target == "/");
    CHECK(parse_url("http://h?x").value().target == "/?x");
    CHECK(parse_url("http://h").value().host_header() == "h");
}

TEST_CASE("a text that is no URL is refused without being repeated") {
    for (const std::string bad :
         {"", "h", "/p", "ftp://h", "http://", "http:///x", "http://h:0x1/", "http://h\nX: y/",
          "http://us%zz@h/"}) {
        const auto url = parse_url(bad);
        REQUIRE_FALSE(url);
        CHECK(url.error().kind == base::Errc::invalid);
    }
    CHECK_FALSE(parse_url("http://h/" + std::string(17'000, 'x')));
}
