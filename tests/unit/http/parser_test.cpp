#include "base/http/parser.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

using base::http::Parser;

namespace {

// The body of a request that arrives in pieces of `step` bytes; empty when it never completes.
std::string body_in_pieces(std::string_view input, std::size_t step) {
    Parser parser(Parser::Kind::request, 4096);
    std::string body;
    bool header = false;
    while (!input.empty()) {
        parser.append(input.substr(0, step));
        input.remove_prefix(std::min(step, input.size()));
        if (!header) header = parser.parse_header().value();
        if (!header) continue;
        std::array<char, 16> piece{};
        while (const std::size_t got = parser.parse_body(piece).value())
            body.append(piece.data(), got);
    }
    return header && parser.complete() ? body : "";
}

}  // namespace

TEST_CASE("a chunked body is the same in pieces of any size, down to the last chunk") {
    const std::string_view head =
            "PUT /files HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string_view end : {"0\r\n\r\n", "0;x=y\r\n\r\n", "0\r\nTrailer: 1\r\n\r\n"}) {
        const auto input = std::string(head) + "4\r\nabcd\r\n3\r\nefg\r\n" + std::string(end);
        for (std::size_t step = 1; step <= input.size(); ++step) {
            CAPTURE(end, step);
            CHECK(body_in_pieces(input, step) == "abcdefg");
        }
    }
}

TEST_CASE("a last chunk that is the whole body may come in pieces too") {
    for (std::size_t step = 1; step < 8; ++step) {
        Parser parser(Parser::Kind::response, 4096);
        parser.append("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        REQUIRE(parser.parse_header().value());
        std::array<char, 16> piece{};
        for (std::string_view rest = "0\r\n\r\n"; !rest.empty();) {
            REQUIRE_FALSE(parser.complete());
            parser.append(rest.substr(0, step));
            rest.remove_prefix(std::min(step, rest.size()));
            REQUIRE(parser.parse_body(piece).value() == 0);
        }
        CHECK(parser.complete());
        CHECK_FALSE(parser.buffered());
    }
}
