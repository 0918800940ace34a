// Tar archives as inputs: checksums are put right, or hardly any change would reach more than the
// test of the checksum. Used by the tar targets.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fuzz {

// Every block that says "ustar" (all formats of today do) gets the checksum it should have.
inline std::string with_checksums(std::string_view archive) {
    constexpr std::size_t kBlock = 512;
    constexpr std::size_t kChecksum = 148;
    std::string out(archive);
    for (std::size_t at = 0; at + kBlock <= out.size(); at += kBlock) {
        if (out.compare(at + 257, 5, "ustar") != 0) continue;
        out.replace(at + kChecksum, 8, "        ");
        unsigned sum = 0;
        for (std::size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>(out[at + i]);
        for (std::size_t digit = 6; digit-- > 0; sum /= 8)
            out[at + kChecksum + digit] = static_cast<char>('0' + sum % 8);
        out[at + kChecksum + 6] = '\0';
    }
    return out;
}

}  // namespace fuzz
