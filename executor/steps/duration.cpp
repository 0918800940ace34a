#include "executor/steps/duration.hpp"

#include <cstdint>

#include <fmt/format.h>

namespace executor {

namespace {

// `value` units of which `scale` are a whole one, without trailing zeros: "1.5", "30".
std::string decimal(std::uint64_t value, std::uint64_t scale) {
    auto text = std::to_string(value / scale);
    auto rest = value % scale;
    if (rest == 0) return text;
    text += '.';
    for (auto digit = scale / 10; rest != 0; digit /= 10) {
        text += static_cast<char>('0' + rest / digit);
        rest %= digit;
    }
    return text;
}

}  // namespace

std::string to_go_text(std::chrono::nanoseconds duration) {
    if (duration == duration.zero()) return "0s";
    const bool negative = duration < duration.zero();
    const auto raw = static_cast<std::uint64_t>(duration.count());
    const std::uint64_t all = negative ? std::uint64_t{0} - raw : raw;
    const std::string sign = negative ? "-" : "";
    if (all < 1'000) return fmt::format("{}{}ns", sign, all);
    if (all < 1'000'000) return sign + decimal(all, 1'000) + "µs";
    if (all < 1'000'000'000) return sign + decimal(all, 1'000'000) + "ms";
    constexpr std::uint64_t kMinute = 60'000'000'000;
    const auto minutes = all / kMinute;
    const auto seconds = decimal(all % kMinute, 1'000'000'000);
    if (minutes == 0) return fmt::format("{}{}s", sign, seconds);
    if (minutes < 60) return fmt::format("{}{}m{}s", sign, minutes, seconds);
    return fmt::format("{}{}h{}m{}s", sign, minutes / 60, minutes % 60, seconds);
}

std::string to_go_text_rounded(std::chrono::nanoseconds duration) {
    return to_go_text(std::chrono::round<std::chrono::milliseconds>(duration));
}

}  // namespace executor
