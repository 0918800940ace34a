#include "base/uuid.hpp"

#include "base/error.hpp"

#include <sys/random.h>

#include <array>
#include <cstdint>

namespace base {

std::string random_uuid() {
    std::array<std::uint8_t, 16> bytes{};
    // Never short below 256 bytes, never failing once the pool is seeded, which it is before any
    // daemon runs.
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        panic("getrandom failed");
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 0x0f];
    }
    return text;
}

}  // namespace base
