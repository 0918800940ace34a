#include "cli/characters.hpp"

#include "base/fail.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace cli {

namespace {

using Range = std::pair<char32_t, char32_t>;  // both ends included

constexpr auto kSteering = std::to_array<Range>({
        {0x00, 0x1f},
        {0x7f, 0x9f},        // U+009B begins a sequence as ESC [ does
        {0x061c, 0x061c},    // Arabic letter mark
        {0x180e, 0x180e},    // drawn as nothing
        {0x200b, 0x200b},    // zero width space
        {0x200e, 0x200f},    // left-to-right and right-to-left mark
        {0x2028, 0x2029},    // line and paragraph separator
        {0x202a, 0x202e},    // bidi embeddings and overrides: CVE-2021-42574
        {0x2060, 0x206f},    // word joiner, invisible operators, bidi isolates
        {0xfeff, 0xfeff},    // byte order mark
        {0xfff9, 0xfffb},    // interlinear annotation
        {0xfffe, 0xffff},    // noncharacters: XML has no place for them
        {0xe0000, 0xe007f},  // tags: a whole hidden ASCII
});

bool is_continuation(unsigned char byte) {
    return (byte & 0xc0U) == 0x80;
}

// What the first byte says: how many bytes there are, which code they begin, and the smallest code
// that needs so many.
struct Lead {
    std::size_t length = 0;  // 0: no character begins so
    char32_t bits = 0;
    char32_t least = 0;
};

Lead lead(unsigned char byte) {
    if (byte < 0x80) return {.length = 1, .bits = byte, .least = 0};
    if (byte < 0xc2) return {};
    if (byte < 0xe0) return {.length = 2, .bits = byte & 0x1fU, .least = 0x80};
    if (byte < 0xf0) return {.length = 3, .bits = byte & 0x0fU, .least = 0x800};
    if (byte < 0xf5) return {.length = 4, .bits = byte & 0x07U, .least = 0x10000};
    return {};
}

}  // namespace

Character first_character(std::string_view text) {
    const Character broken{.bytes = text.substr(0, 1), .code = 0, .valid = false};
    const auto [length, bits, least] = lead(static_cast<unsigned char>(text[0]));
    if (length == 0 || text.size() < length) return broken;
    auto code = bits;
    for (std::size_t i = 1; i < length; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (!is_continuation(byte)) return broken;
        code = (code << 6U) | (byte & 0x3fU);
    }
    // Longer than need be: how a decoder that is too kind is given a control character. And halves
    // of UTF-16 pairs, and what is beyond Unicode.
    if (code < least || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return broken;
    return {.bytes = text.substr(0, length), .code = code, .valid = true};
}

bool is_steering(char32_t code) {
    return std::any_of(kSteering.begin(), kSteering.end(), [&](const Range& range) {
        return code >= range.first && code <= range.second;
    });
}

namespace {

std::string spelt(const Character& character) {
    if (!character.valid)
        return base::format("\\x{:02x}", static_cast<unsigned char>(character.bytes[0]));
    const auto code = static_cast<std::uint32_t>(character.code);
    if (code == '\n') return "\\n";
    if (code == '\t') return "\\t";
    if (code == '\r') return "\\r";
    if (code < 0x80) return base::format("\\x{:02x}", code);
    return code < 0x10000 ? base::format("\\u{:04x}", code) : base::format("\\U{:08x}", code);
}

}  // namespace

std::string visible(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto character = first_character(text);
        if (character.valid && !is_steering(character.code)) {
            out += character.bytes;
        } else {
            out += spelt(character);
        }
        text.remove_prefix(character.bytes.size());
    }
    return out;
}

std::string visible(std::string_view text, std::size_t limit) {
    auto rest = text;
    for (std::size_t seen = 0; seen < limit && !rest.empty(); ++seen)
        rest.remove_prefix(first_character(rest).bytes.size());
    auto out = visible(text.substr(0, text.size() - rest.size()));
    if (!rest.empty()) out += base::format(" (and {} more bytes)", rest.size());
    return out;
}

std::string json_without_steering(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    while (!json.empty()) {
        const auto character = first_character(json);
        const auto code = static_cast<std::uint32_t>(character.code);
        // C0 in JSON text is white space between values; inside strings the writer escaped it.
        if (code < 0x20 || !is_steering(character.code)) {
            out += character.bytes;
        } else if (code < 0x10000) {
            out += base::format("\\u{:04x}", code);
        } else {
            const auto offset = code - 0x10000;
            out += base::format(
                    "\\u{:04x}\\u{:04x}", 0xd800 + (offset >> 10U), 0xdc00 + (offset & 0x3ffU));
        }
        json.remove_prefix(character.bytes.size());
    }
    return out;
}

}  // namespace cli
