// Answers of apps to the cell's own probes, and the paths of their recipes: a status does not
// depend on how much of the answer came at once, and a path adds no line to a request.
#include "executor/checks/answer.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <string>

namespace {

void request(std::string_view path) {
    executor::api::Check check;
    check.http_check.emplace().path = std::string(path);
    check.http_check->port = 8080;
    const auto target = executor::probe_target(check);
    fuzz::require(target.has_value(), "a check over HTTP has a target");
    const auto text = executor::probe_request(*target, "10.0.0.2:8080");
    fuzz::require(std::count(text.begin(), text.end(), '\n') == 7, "a path adds no line");
    fuzz::require(std::count(text.begin(), text.end(), '\r') == 7, "a path adds no return");
    fuzz::require(text.starts_with("GET /"), "a path begins at the root");
    const auto line = std::string_view(text).substr(0, text.find('\r'));
    fuzz::require(std::count(line.begin(), line.end(), ' ') == 2, "a path is one word");
    fuzz::require(text.find('\0') == std::string::npos, "a request is text");
}

void answer(std::string_view text) {
    text = text.substr(0, executor::kMaxProbeAnswer);
    const auto whole = executor::probe_status(text);
    if (whole && *whole) fuzz::require(**whole >= 0 && **whole <= 999, "a status has three digits");
    if (text.size() >= executor::kMaxProbeAnswer)
        fuzz::require(!whole || *whole, "an answer of that size is decided");
    const auto line = std::min(text.find('\n'), text.size());
    for (std::size_t size = 0; size <= std::min(line, std::size_t{64}); ++size) {
        const auto part = executor::probe_status(text.substr(0, size));
        if (!part) fuzz::require(!whole, "what is refused early is refused late");
        if (part) fuzz::require(!*part, "a status waits for the end of its line");
    }
    if (line == text.size() || !whole) return;
    fuzz::require(executor::probe_status(text.substr(0, line + 1)).has_value(), "a line decides");
}

}  // namespace

// First byte: what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    if ((input.byte() & 1) != 0) {
        request(input.rest());
    } else {
        answer(input.rest());
    }
    return 0;
}
