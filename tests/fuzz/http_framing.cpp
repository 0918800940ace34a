// HTTP framing: a message means the same whether it comes whole or in pieces, and limits hold.
#include "base/http/parser.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using base::http::Parser;

namespace {

constexpr std::size_t kHeaderLimit = 4096;
constexpr std::size_t kBodyLimit = 1 << 20;

struct Outcome {
    bool header = false, failed = false, complete = false;
    std::string method, target, body, leftover;
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;

    bool operator==(const Outcome&) const = default;
};

// Everything the parser says about `input` when it arrives in pieces of `step` bytes.
Outcome parse(Parser::Kind kind, std::string_view input, std::size_t step) {
    Parser parser(kind, kHeaderLimit);
    Outcome outcome;
    std::array<char, 97> piece{};
    while (!outcome.failed && !(outcome.header && parser.complete())) {
        if (!outcome.header) {
            auto header = parser.parse_header();
            if (!header) outcome.failed = true;
            outcome.header = header && *header;
        }
        if (outcome.header && !parser.complete()) {
            auto got = parser.parse_body(piece);
            if (!got) {
                outcome.failed = true;
            } else {
                fuzz::require(*got <= piece.size(), "a piece fits its buffer");
                outcome.body.append(piece.data(), *got);
                if (*got > 0) continue;
            }
        }
        if (outcome.failed || (outcome.header && parser.complete()) || input.empty()) break;
        parser.append(input.substr(0, step));
        input.remove_prefix(std::min(step, input.size()));
    }
    if (!outcome.header) return outcome;
    outcome.complete = parser.complete();
    outcome.method = parser.method;
    outcome.target = parser.target;
    outcome.status = parser.status;
    for (const auto& field : parser.headers) outcome.headers.push_back(field);
    if (parser.content_length && outcome.complete && parser.has_body)
        fuzz::require(outcome.body.size() == *parser.content_length, "a body has its length");
    outcome.leftover = parser.take_leftover() + std::string(input);
    return outcome;
}

}  // namespace

// First byte: request or response, and the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > kBodyLimit) return 0;
    fuzz::Input input(data, size);
    const auto choice = input.byte();
    const auto kind = (choice & 1) != 0 ? Parser::Kind::response : Parser::Kind::request;
    const Outcome whole = parse(kind, input.rest(), input.rest().size() + 1);
    const Outcome pieces = parse(kind, input.rest(), (choice >> 1U) % 16 + 1U);
    // Nonsense in an unfinished message may be noticed sooner or later; a finished message is one
    // and the same, and what follows it (a hijacked stream) is kept to the byte.
    if ((whole.complete && !whole.failed) || (pieces.complete && !pieces.failed))
        fuzz::require(whole == pieces, "a message is the same whole and in pieces");
    return 0;
}
