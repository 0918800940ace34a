#include "cli/human.hpp"

#include "base/fail.hpp"
#include "cli/characters.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace cli {

std::string human_bytes(std::uint64_t bytes) {
    constexpr std::array<const char*, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t unit = 0;
    auto value = static_cast<double>(bytes);
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    if (unit == 0 || value >= 10) return fmt::format("{:.0f} {}", value, kUnits.at(unit));
    return fmt::format("{:.1f} {}", value, kUnits.at(unit));
}

std::string human_age(std::chrono::nanoseconds age) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
    if (seconds < 60) return fmt::format("{} s", std::max<std::int64_t>(seconds, 0));
    if (seconds < 3600) return fmt::format("{} min", seconds / 60);
    if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
    return fmt::format("{} d", seconds / 86400);
}

base::Result<std::uint64_t> parse_bytes(std::string_view text, std::string_view what) {
    const auto bad = [&](std::string_view why) {
        return base::fail(
                base::Errc::invalid, "{}: '{}' {}. hint: write 512m or 2g", what, text, why);
    };
    double number = 0;
    const auto* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, number, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(number) || number < 0) return bad("is not a size");
    std::string unit(end, last);
    std::transform(unit.begin(), unit.end(), unit.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (unit.size() > 1 && unit.ends_with('b')) unit.pop_back();
    if (unit.size() > 1 && unit.ends_with('i')) unit.pop_back();
    constexpr std::string_view kKnown = "bkmgt";
    const auto power = unit.empty() ? std::size_t{0} : kKnown.find(unit);
    if (unit.size() > 1 || power == std::string_view::npos) return bad("has an unknown unit");
    const double bytes = number * std::pow(1024.0, static_cast<double>(power));
    if (bytes < 1) return bad("is zero");
    if (bytes >= 9.2e18) return bad("is too large");
    return static_cast<std::uint64_t>(bytes);
}

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

std::string printable(std::string_view text, std::string_view allowed) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto character = first_character(text);
        const bool fine =
                character.valid && (!is_steering(character.code) ||
                                    allowed.find(character.bytes) != std::string_view::npos);
        if (fine) {
            out += character.bytes;
        } else {
            out += '?';
        }
        text.remove_prefix(character.bytes.size());
    }
    return out;
}

}  // namespace cli
