#include "lifecycle/flags/flags.hpp"
#include "lifecycle/healthcheck/http.hpp"
#include "lifecycle/healthcheck/options.hpp"

#include <vector>

#include <catch2/catch.hpp>

using namespace lifecycle;
using namespace std::chrono_literals;

namespace {

std::string refused(std::vector<const char*> arguments) {
    const auto parsed = parse_check_options(arguments);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind == base::Errc::invalid);
    return parsed.error().text;
}

CheckOptions accepted(std::vector<const char*> arguments) {
    return parse_check_options(arguments).value().value();
}

// The answer fed in pieces of every size: where bytes are cut means nothing.
void check_answer(std::string_view text, std::optional<int> status, bool complete) {
    for (std::size_t size = 1; size <= text.size(); ++size) {
        Answer answer;
        for (std::size_t at = 0; at < text.size(); at += size)
            REQUIRE(answer.feed(text.substr(at, size)));
        INFO("in pieces of " << size);
        CHECK(answer.status() == status);
        CHECK(answer.complete() == complete);
    }
}

bool is_corrupt(std::string_view text) {
    Answer answer;
    for (const char c : text) {
        const auto fed = answer.feed(std::string_view(&c, 1));
        if (!fed) return fed.error().kind == base::Errc::corrupt;
    }
    return false;
}

}  // namespace

TEST_CASE("a command line has defaults and takes both forms of flags") {
    const auto plain = accepted({});
    CHECK(plain.port == 8080);
    CHECK(plain.uri.empty());
    CHECK(plain.timeout == 1s);
    CHECK(plain.mode == Mode::once);
    const auto full = accepted(
            {"-port=80", "--uri", "/x=y", "-timeout", "250ms", "--startup-interval=2s",
             "-startup-timeout=0", "-port", "81"});
    CHECK(full.port == 81);
    CHECK(full.uri == "/x=y");
    CHECK(full.timeout == 250ms);
    CHECK(full.mode == Mode::startup);
    CHECK(full.interval == 2s);
    CHECK(full.startup_timeout == 0s);
    CHECK(accepted({"-liveness-interval=30s"}).mode == Mode::liveness);
    CHECK(accepted({"-readiness-interval=30s"}).mode == Mode::readiness);
    CHECK(accepted({"-until-ready-interval=30s", "-liveness-interval=0"}).mode ==
          Mode::until_ready);
    const std::vector<const char*> help{"-port=1", "-h"};
    CHECK_FALSE(parse_check_options(help).value());
}

TEST_CASE("a bad command line names the flag") {
    CHECK(refused({"-prot=1"}) == "unknown flag -prot");
    CHECK(refused({"-port"}) == "flag -port needs a value");
    CHECK(refused({"-port=80x"}) == "flag -port: '80x' is not a number");
    CHECK(refused({"-port=70000"}) == "flag -port: '70000' is out of range");
    CHECK(refused({"port=1"}) == "unexpected argument 'port=1'");
    CHECK(refused({"-timeout=5"}).starts_with("flag -timeout: duration '5': expected a unit"));
    CHECK(refused({"-timeout=800h"}) == "flag -timeout: '800h' is over the limit of 720h");
    CHECK(refused({"-network=udp"}) == "flag -network: 'udp' is not tcp");
    CHECK(refused({"-liveness-interval=1s", "-startup-interval=1s"}).starts_with("only one of"));
}

TEST_CASE("a request says who asks and encodes what may not stand in it") {
    CHECK(request_text("/a b\xC3\xB6?q=%41#part", "10.0.0.2:80").value() ==
          "GET /a%20b%C3%B6?q=%41 HTTP/1.1\r\nHost: 10.0.0.2:80\r\n"
          "User-Agent: diego-healthcheck\r\nX-Forwarded-Proto: https\r\nAccept: */*\r\n"
          "Connection: close\r\n\r\n");
    CHECK(request_text("?q", "h").value().starts_with("GET /?q HTTP/1.1\r\n"));
    for (const char* uri : {"", "a", "http://x/", "/\r\nX: y", "/%", "/%4", "/%4g", "/\x7f"})
        CHECK_FALSE(request_text(uri, "h"));
    CHECK_FALSE(request_text("/" + std::string(kMaxUri, 'a'), "h"));
}

TEST_CASE("an answer is complete when its length or its last chunk says so") {
    check_answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, true);
    check_answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", 200, false);
    check_answer("HTTP/1.1 500\r\ncontent-LENGTH:0\r\n\r\n", 500, true);
    check_answer(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200,
            true);
    check_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 200, false);
    check_answer("HTTP/1.0 404 Not Found\r\n\r\nno length", 404, false);
    check_answer("HTTP/1.1 204 No Content\r\n\r\n", 204, true);
    check_answer("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc", 200, false);
    check_answer("HTTP/1.1 200 OK\r\nContent-Le", std::nullopt, false);
    check_answer(
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
            "0\r\n\r\n",
            200, true);
}

TEST_CASE("what is no HTTP is refused early and nothing grows without end") {
    CHECK(is_corrupt("SSH-2.0-x"));
    CHECK(is_corrupt("HTTP/2"));
    CHECK(is_corrupt("HTTP/1.1 20\r\n\r\n"));
    CHECK(is_corrupt("HTTP/1.1 2000\r\n\r\n"));
    CHECK(is_corrupt("HTTP/1.1 200 OK\r\n" + std::string(kMaxHead, 'x')));
    std::string interim;
    for (int i = 0; i <= kMaxInterim; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
    CHECK(is_corrupt(interim));
    Answer endless;
    REQUIRE(endless.feed("HTTP/1.1 200 OK\r\n\r\n"));
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 16; ++i) {
        CHECK_FALSE(endless.complete());
        REQUIRE(endless.feed(piece));
    }
    CHECK(endless.complete());
}
