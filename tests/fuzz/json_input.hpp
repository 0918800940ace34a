// What targets over JSON objects share: a value that was read writes to text that reads to the same
// value. Used by spec_json, executor_recipe, executor_journal and rep_json.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <concepts>
#include <string>
#include <string_view>

namespace fuzz {

template <class T>
bool read_text(std::string_view text, base::json::Rest rest, T& out) {
    auto document = base::json::Document::parse(text, {}, rest);
    return document && base::json::read(document->root(), out);
}

// False: `text` is no T, and `first` is what reading left of it.
template <class T>
bool round_trip(std::string_view text, T& first) {
    if (!read_text(text, base::json::Rest::ignore, first)) return false;
    const std::string written = base::json::encode(first);
    T second;
    require(read_text(written, base::json::Rest::reject, second), "what is written reads");
    require(base::json::encode(second) == written, "what reads writes to the same text");
    if constexpr (std::equality_comparable<T>)
        require(second == first, "what is written reads to the same value");
    return true;
}

template <class T>
void only_text(std::string_view text) {
    T value;
    (void)round_trip(text, value);
}

}  // namespace fuzz
