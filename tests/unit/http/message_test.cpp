#include "base/http/message.hpp"

#include "base/http/endpoint.hpp"
#include "base/http/parser.hpp"
#include "base/http/router.hpp"

#include <array>

#include <catch2/catch.hpp>

using namespace base::http;

TEST_CASE("percent decoding leaves a plus alone and refuses a stray percent") {
    CHECK(percent_decode("a+b%2Fc%41").value() == "a+b/cA");
    CHECK_FALSE(percent_decode("50%"));
    CHECK_FALSE(percent_decode("%4"));
    CHECK_FALSE(percent_decode("%zz"));
    CHECK(percent_decode(percent_encode("a b/ü%")).value() == "a b/ü%");
}

TEST_CASE("a query is form-decoded and its first value wins") {
    const auto query = Query::parse("a+b=c%26d&network.x=1&a+b=2&flag").value();
    CHECK(query.get("a b") == "c&d");
    CHECK(query.get("network.x") == "1");
    CHECK(query.has("flag"));
    CHECK(query.get("flag").empty());
    CHECK_FALSE(query.has("nothing"));
    CHECK(Query::parse(query.text()).value().get("a b") == "c&d");
}

TEST_CASE("header names compare without case and tokens are found in lists") {
    Headers headers{{"Connection", "Keep-Alive, close"}, {"X-A", "1"}};
    CHECK(headers.get("x-a") == "1");
    CHECK(headers.has_token("connection", "CLOSE"));
    CHECK_FALSE(headers.has_token("connection", "clo"));
    headers.set("x-A", "2");
    CHECK(headers.size() == 2);
    CHECK(headers.get("X-a") == "2");
}

TEST_CASE("endpoints are parsed from their text") {
    CHECK(Endpoint::parse("unix:///run/a.sock").value().path == "/run/a.sock");
    const auto tcp = Endpoint::parse("tcp://127.0.0.1:7777").value();
    CHECK(tcp.kind == Endpoint::Kind::tcp);
    CHECK(tcp.port == 7777);
    CHECK(Endpoint::parse("tls://[::1]:1").value().host == "::1");
    CHECK(Endpoint::parse("https://example.org/").value().port == 443);
    CHECK(Endpoint::parse("tls://[::1]:1").value().text() == "tls://[::1]:1");
    for (const auto* bad :
         {"run/a.sock", "unix://relative", "ftp://x", "tcp://@[::1]:1", "tcp://h:70000",
          "tcp://h:", "tcp://[::1"})
        CHECK_FALSE(Endpoint::parse(bad));
}

TEST_CASE("the router decodes parameters and answers 404 and 405 itself") {
    Router router;
    router.get("/containers/:handle/info", [](Request& r) {
        return Response::text(200, std::string(r.param("handle")));
    });
    router.del("/containers/:handle", [](Request&) { return Response::text(200, "deleted"); });
    router.get("/containers/bulk", [](Request&) { return Response::text(200, "bulk"); });
    const auto ask = [&](std::string method, std::string path) {
        Request request;
        request.method = std::move(method);
        request.path = std::move(path);
        request.body = std::make_shared<MemoryBody>("");
        return router(request);
    };
    CHECK(ask("GET", "/containers/a%2Fb+c/info").body == "a/b+c");
    CHECK(ask("GET", "/containers//info").body.empty());
    CHECK(ask("GET", "/containers//info").status == 200);
    CHECK(ask("GET", "/containers/bulk").body == "bulk");
    CHECK(ask("GET", "/containers/a%2/info").status == 400);
    const auto unknown = ask("GET", "/x");
    CHECK(unknown.status == 404);
    CHECK(unknown.body == "404 page not found\n");
    CHECK(unknown.headers.get("content-type") == "text/plain; charset=utf-8");
    const auto wrong = ask("GET", "/containers/h");
    CHECK(wrong.status == 405);
    CHECK(wrong.headers.get("Allow") == "DELETE");
    CHECK(wrong.body == "Method Not Allowed\n");
}

TEST_CASE("a message is parsed the same in one piece and byte by byte") {
    const std::string text =
            "POST /a?b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: x\r\n\r\nNEXT";
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, text.size()}) {
        Parser parser(Parser::Kind::request, kMaxHeaderBytes);
        std::string body;
        bool header = false;
        std::array<char, 4> piece{};
        for (std::size_t at = 0; at < text.size(); at += step) {
            parser.append(std::string_view(text).substr(at, step));
            if (!header) header = parser.parse_header().value();
            while (header && !parser.complete()) {
                const auto count = parser.parse_body(piece).value();
                if (count == 0) break;
                body.append(piece.data(), count);
            }
        }
        CHECK(header);
        CHECK(parser.complete());
        CHECK(parser.target == "/a?b");
        CHECK(body == "hello world");
        CHECK(parser.take_leftover() == "NEXT");
    }
}

TEST_CASE("ambiguous framing is refused") {
    for (const auto* bad :
         {"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "GET / HTTP/1.1\r\nA : b\r\n\r\n",
          "GET /\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"}) {
        Parser parser(Parser::Kind::request, kMaxHeaderBytes);
        parser.append(bad);
        auto header = parser.parse_header();
        INFO(bad);
        CHECK_FALSE(header);
    }
}

TEST_CASE(
        "an answer without length runs to the end of the connection, one with length must be "
        "whole") {
    Parser open_ended(Parser::Kind::response, kMaxHeaderBytes);
    open_ended.append("HTTP/1.1 200 OK\r\n\r\nabc");
    REQUIRE(open_ended.parse_header().value());
    std::array<char, 8> piece{};
    CHECK(open_ended.parse_body(piece).value() == 3);
    CHECK(open_ended.end_of_stream());
    Parser short_one(Parser::Kind::response, kMaxHeaderBytes);
    short_one.append("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    REQUIRE(short_one.parse_header().value());
    CHECK(short_one.parse_body(piece).value() == 3);
    CHECK_FALSE(short_one.end_of_stream());
}
