#include "base/base64.hpp"

#include "base/fail.hpp"

#include <cstdint>

namespace base {

namespace {

constexpr std::string_view kCommon =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

int value_of(char c, std::string_view last_two) {
    if (const auto at = kCommon.find(c); at != std::string_view::npos) return static_cast<int>(at);
    if (const auto at = last_two.find(c); at != std::string_view::npos)
        return static_cast<int>(62 + at);
    return -1;
}

Result<std::string> decode(std::string_view digits, std::string_view last_two) {
    std::string out;
    out.reserve(digits.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned have = 0;
    for (const char c : digits) {
        const int value = value_of(c, last_two);
        if (value < 0) return fail(Errc::invalid, "not base64: a character of another alphabet");
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out += static_cast<char>((bits >> have) & 0xffU);
    }
    // A lone digit holds no byte; bits that are left over and not zero are a second spelling.
    if (digits.size() % 4 == 1 || (bits & ((1U << have) - 1U)) != 0)
        return fail(Errc::invalid, "not base64: the end is not whole");
    return out;
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
    const auto digit = [](std::uint32_t value) {
        return value < 62 ? kCommon[value] : value == 62 ? '+' : '/';
    };
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t three = 0;
        for (std::size_t i = 0; i < 3; ++i)
            three = (three << 8U) |
                    (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i)
            out += at + i > bytes.size()
                           ? '='
                           : digit((three >> (18U - 6U * static_cast<unsigned>(i))) & 0x3fU);
    }
    return out;
}

Result<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) return fail(Errc::invalid, "not base64: {} digits", text.size());
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    return decode(text.substr(0, text.size() - padding), "+/");
}

Result<std::string> decode_base64url(std::string_view text) {
    return decode(text, "-_");
}

}  // namespace base
