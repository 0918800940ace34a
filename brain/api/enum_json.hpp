// Enumerations of the brain's records on the wire: the word is written, word and number are read.
// Private to brain/api.
#pragma once

#include "base/json.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace brain::api {

// `words` in the order of the enumerators.
template <class E, std::size_t N>
base::Result<void> read_word(
        const base::json::Node& node, const std::array<std::string_view, N>& words, E& out) {
    if (!node.is_string()) {
        out = static_cast<E>(TRY(node.unsigned_integer(N - 1)));
        return base::ok;
    }
    const auto word = TRY(node.string());
    const auto found = std::ranges::find(words, word);
    if (found == words.end()) return node.refuse("'" + word.substr(0, 64) + "' is not known");
    out = static_cast<E>(found - words.begin());
    return base::ok;
}

}  // namespace brain::api
