// The process stream of the Garden API: its values are the same however the bytes arrive, each is
// within the limit, and reading and printing one gives the same text again.
#include "base/json.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using base::json::ValueSplitter;

namespace {

constexpr std::size_t kLimit = 512;

struct Outcome {
    bool failed = false;
    std::vector<std::string> values;
};

Outcome split(std::string_view input, std::size_t step) {
    ValueSplitter splitter(kLimit);
    Outcome outcome;
    while (!input.empty() && !outcome.failed) {
        outcome.failed = !splitter.feed(input.substr(0, step));
        input.remove_prefix(std::min(step, input.size()));
        while (!outcome.failed) {
            auto value = splitter.next();
            if (!value) break;
            fuzz::require(!value->empty(), "a value is not empty");
            outcome.values.push_back(std::move(*value));
        }
    }
    return outcome;
}

void check_value(std::string_view value) {
    const auto document = base::json::Document::parse(value);
    if (!document) return;
    const std::string text = document->root().dump();
    const auto again = base::json::Document::parse(text);
    fuzz::require(again && again->root().dump() == text, "a value reads the same after printing");
    // The first of several values is found by the same rules as the splitter has.
    const auto first =
            base::json::Document::parse(std::string(value) + " [1]", {}, base::json::Rest::ignore);
    fuzz::require(first && first->root().dump() == text, "what follows a value is ignored");
}

}  // namespace

// First byte: the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::size_t step = input.byte() % 16 + 1U;
    const auto pieces = split(input.rest(), step);
    const auto bytes = split(input.rest(), 1);
    if (!pieces.failed && !bytes.failed)
        fuzz::require(pieces.values == bytes.values, "values do not depend on their pieces");
    for (const auto& value : bytes.values) {
        fuzz::require(value.size() <= kLimit, "values are bounded");
        check_value(value);
    }
    (void)base::json::Document::parse(input.rest());
    return 0;
}
