// Numbers and simple words from text, whole or not at all; used instead of strtol and atoi.
#pragma once

#include "base/result.hpp"

#include <charconv>
#include <string_view>

namespace base {

// The whole of `text` as a decimal T: no sign for unsigned, no space, no prefix. Errc::invalid
// names `what` and the text.
template <class T>
Result<T> parse_number(std::string_view text, std::string_view what) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
        std::string message(what);
        message.append(": '").append(text.substr(0, 64));
        message.append(
                error == std::errc::result_out_of_range ? "' is out of range"
                                                        : "' is not a number");
        return Error{
                .kind = Errc::invalid,
                .sys = 0,
                .text = std::move(message),
                .where = Where::here()};
    }
    return value;
}

}  // namespace base
