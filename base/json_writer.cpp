#include "base/json_writer.hpp"

#include <cmath>
#include <cstddef>

#include <fmt/format.h>

namespace base::json {

namespace {

// Length of the UTF-8 sequence at `at`, 0 when it is none (overlong forms, surrogates and cut ends
// included).
std::size_t sequence_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xC2 ? 0
                               : first < 0xE0 ? 2
                               : first < 0xF0 ? 3
                               : first < 0xF5 ? 4
                                              : 0;
    if (length == 0 || at + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) return 0;
    }
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return length;
}

// Appends the character that begins at `at`; how many bytes of the text it was.
std::size_t append_escaped_at(std::string& out, std::string_view text, std::size_t at) {
    const char c = text[at];
    switch (c) {
        case '"':
            out += "\\\"";
            return 1;
        case '\\':
            out += "\\\\";
            return 1;
        case '\n':
            out += "\\n";
            return 1;
        case '\r':
            out += "\\r";
            return 1;
        case '\t':
            out += "\\t";
            return 1;
        default:  // a char, not an enum: everything else
            break;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        return 1;
    }
    const std::size_t length = sequence_length(text, at);
    if (length == 0) {
        out += "\xEF\xBF\xBD";
        return 1;
    }
    out.append(text, at, length);
    return length;
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
    for (std::size_t at = 0; at < text.size();) at += append_escaped_at(out, text, at);
}

void Writer::separate() {
    if (comma_) out_ += ',';
    comma_ = true;
}

Writer& Writer::begin_object() {
    separate();
    out_ += '{';
    comma_ = false;
    return *this;
}

Writer& Writer::end_object() {
    out_ += '}';
    comma_ = true;
    return *this;
}

Writer& Writer::begin_array() {
    separate();
    out_ += '[';
    comma_ = false;
    return *this;
}

Writer& Writer::end_array() {
    out_ += ']';
    comma_ = true;
    return *this;
}

Writer& Writer::key(std::string_view name) {
    value(name);
    out_ += ':';
    comma_ = false;
    return *this;
}

Writer& Writer::null() {
    return raw("null");
}

Writer& Writer::raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
}

Writer& Writer::value(std::string_view text) {
    separate();
    out_ += '"';
    append_escaped(out_, text);
    out_ += '"';
    return *this;
}

Writer& Writer::value(bool flag) {
    return raw(flag ? "true" : "false");
}

Writer& Writer::value(double number) {
    if (!std::isfinite(number)) return null();  // JSON has no word for these
    return raw(fmt::format("{}", number));
}

Writer& Writer::unsigned_number(std::uint64_t number) {
    return raw(fmt::format("{}", number));
}

Writer& Writer::signed_number(std::int64_t number) {
    return raw(fmt::format("{}", number));
}

}  // namespace base::json
