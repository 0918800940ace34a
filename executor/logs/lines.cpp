#include "executor/logs/lines.hpp"

namespace executor {

namespace {

bool continues(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

// Bytes of the sequence that this one begins; 1 for whatever begins none.
std::size_t length_of(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    if (byte >= 0xf0U && byte <= 0xf4U) return 4;
    if (byte >= 0xe0U && byte <= 0xefU) return 3;
    if (byte >= 0xc2U && byte <= 0xdfU) return 2;
    return 1;
}

}  // namespace

std::size_t cut_between_characters(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text.size();
    constexpr std::size_t kLongestSequence = 4;
    for (std::size_t back = 1; back < kLongestSequence && back < limit; ++back) {
        const auto at = limit - back;
        if (continues(text[at])) continue;
        return length_of(text[at]) > back ? at : limit;
    }
    return limit;
}

}  // namespace executor
