// Foreign text, character by character: what is UTF-8, what would steer a terminal or a reader's
// eye (API-10). Used by human.cpp for tables and by whatever prints a report.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cli {

struct Character {
    std::string_view bytes;  // one byte when it is no UTF-8
    char32_t code = 0;
    bool valid = false;
};

// The first one of `text`, which is not empty.
Character first_character(std::string_view text);

// C0, C1, line separators, bidi controls, what is drawn as nothing, noncharacters: none of them
// reaches a terminal, a page or an XML file as it is.
bool is_steering(char32_t code);

// The same text with each of those, and each byte that is no UTF-8, spelt out: \n, \x1b, \u202e.
// Evidence must show that they were there, so that '?' in their place is not enough.
std::string visible(std::string_view text);

// `visible`, cut after `limit` characters of the original with a word about the rest.
std::string visible(std::string_view text, std::size_t limit);

// JSON text in which steering characters are escapes of JSON: the same value, safe to show.
std::string json_without_steering(std::string_view json);

}  // namespace cli
