#include "rootfs/trust/encoding.hpp"

#include "base/fail.hpp"

#include <cstdint>

namespace rootfs::trust {

namespace {

int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

}  // namespace

base::Result<std::string> decode_base64(std::string_view text) {
    const auto wrong = [] { return base::fail(base::Errc::corrupt, "the text is no base64"); };
    if (text.empty() || text.size() % 4 != 0) return wrong();
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    unsigned have = 0;
    for (const char c : text.substr(0, text.size() - padding)) {
        const int value = value_of(c);
        if (value < 0) return wrong();
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out += static_cast<char>((bits >> have) & 0xffU);
    }
    if ((bits & ((1U << have) - 1U)) != 0) return wrong();  // a second spelling of the same bytes
    return out;
}

}  // namespace rootfs::trust
