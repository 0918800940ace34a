// Targets and endpoints of HTTP: decoding undoes encoding, and what was printed reads the same.
#include "base/http/endpoint.hpp"
#include "base/http/message.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <string>
#include <string_view>

using namespace base::http;

namespace {

void escapes(std::string_view text) {
    const auto encoded = percent_encode(text);
    const auto safe = [](char c) {
        return c > ' ' && c < 0x7f && c != '/' && c != '?' && c != '#';
    };
    fuzz::require(std::all_of(encoded.begin(), encoded.end(), safe), "encoded text is one segment");
    const auto back = percent_decode(encoded);
    fuzz::require(back && *back == text, "decoding undoes encoding");
    if (const auto decoded = percent_decode(text))
        fuzz::require(decoded->size() <= text.size(), "decoding never grows");
    (void)form_decode(text);
}

void query(std::string_view text) {
    const auto first = Query::parse(text);
    if (!first) return;
    const auto second = Query::parse(first->text());
    fuzz::require(
            second && std::equal(first->begin(), first->end(), second->begin(), second->end()),
            "a query reads the same after printing");
    for (const auto& [name, value] : *first) fuzz::require(first->has(name), "names are found");
}

void endpoint(std::string_view text) {
    const auto first = Endpoint::parse(text);
    if (!first) return;
    const auto second = Endpoint::parse(first->text());
    const bool same = second && second->kind == first->kind && second->path == first->path &&
                      second->host == first->host && second->port == first->port;
    fuzz::require(same, "an endpoint reads the same after printing");
}

void fields(std::string_view text) {
    if (is_header_value(text)) {
        const auto breaks = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
        fuzz::require(std::none_of(text.begin(), text.end(), breaks), "a value is one line");
    }
    if (is_token(text))
        fuzz::require(
                text.find_first_of(" :\r\n,") == std::string_view::npos, "a token is one word");
    Headers headers;
    headers.add("connection", std::string(text));
    (void)headers.has_token("Connection", "close");
}

}  // namespace

// First byte: what is read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    switch (input.byte() % 4) {
        case 0:
            escapes(input.rest());
            break;
        case 1:
            query(input.rest());
            break;
        case 2:
            endpoint(input.rest());
            break;
        default:
            fields(input.rest());
            break;
    }
    return 0;
}
