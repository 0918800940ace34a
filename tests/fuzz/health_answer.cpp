// A health check over HTTP: an answer means the same whole and in pieces, and a URI stays in its
// line.
#include "lifecycle/healthcheck/http.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace {

struct Outcome {
    bool failed = false;
    bool complete = false;
    std::optional<int> status;

    bool operator==(const Outcome&) const = default;
};

Outcome feed(std::string_view input, std::size_t step) {
    lifecycle::Answer answer;
    Outcome out;
    while (!input.empty() && !out.failed) {
        const auto piece = input.substr(0, step);
        out.failed = !answer.feed(piece);
        input.remove_prefix(piece.size());
    }
    out.status = answer.status();
    out.complete = answer.complete();
    return out;
}

}  // namespace

// First byte: what the rest is, and the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const auto choice = input.byte();
    if ((choice & 1) != 0) {
        const auto request = lifecycle::request_text(input.rest(), "10.0.0.2:80");
        if (!request) return 0;
        fuzz::require(
                std::count(request->begin(), request->end(), '\n') == 7,
                "a URI adds no line to a request");
        fuzz::require(request->find('\0') == std::string::npos, "a request is text");
        return 0;
    }
    const auto text = input.rest();
    const auto whole = feed(text, text.size() + 1);
    const auto pieces = feed(text, (choice >> 1U) % 16 + 1U);
    fuzz::require(whole == pieces, "an answer is the same whole and in pieces");
    fuzz::require(!whole.status || (*whole.status >= 200 && *whole.status <= 999), "a status");
    return 0;
}
