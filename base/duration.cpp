// Durations as text, without fmt: the static programs of lifecycle/ read them from their flags too.
#include "base/clock.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace base {

namespace {

struct Unit {
    std::string_view name;
    std::int64_t nanoseconds;
};

constexpr std::array kUnits{
        Unit{"h", 3'600'000'000'000}, Unit{"m", 60'000'000'000}, Unit{"s", 1'000'000'000},
        Unit{"ms", 1'000'000},        Unit{"us", 1'000},         Unit{"ns", 1},
};

const Unit* unit_named(std::string_view name) {
    for (const auto& unit : kUnits) {
        if (unit.name == name) return &unit;
    }
    return nullptr;
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    const auto bad = [&](std::string_view why) {
        std::string message("duration '");
        message.append(text.substr(0, 64)).append("': ").append(why);
        message.append(" (examples: 0, 500ms, 90s, 1h30m)");
        return Error{
                .kind = Errc::invalid,
                .sys = 0,
                .text = std::move(message),
                .where = Where::here()};
    };
    if (text == "0") return std::chrono::nanoseconds(0);
    if (text.empty()) return bad("is empty");
    double total = 0;
    std::string_view left = text;
    while (!left.empty()) {
        double amount = 0;
        const auto [end, error] = std::from_chars(
                left.data(), left.data() + left.size(), amount, std::chars_format::fixed);
        // from_chars reads "nan" and "inf" as well.
        if (error != std::errc{} || !std::isfinite(amount) || amount < 0)
            return bad("expected a number");
        left.remove_prefix(static_cast<std::size_t>(end - left.data()));
        const auto length = std::min(left.find_first_of("0123456789."), left.size());
        const Unit* unit = unit_named(left.substr(0, length));
        if (unit == nullptr) return bad("expected a unit: ns, us, ms, s, m or h");
        left.remove_prefix(length);
        total += amount * static_cast<double>(unit->nanoseconds);
    }
    constexpr double kMost = 9.2e18;  // 292 years
    if (total > kMost) return bad("is longer than 292 years");
    return std::chrono::nanoseconds(std::llround(total));
}

std::string to_text(std::chrono::nanoseconds duration) {
    std::int64_t left = duration.count();
    if (left <= 0) return left == 0 ? "0" : "-" + to_text(-duration);
    std::string out;
    for (const auto& unit : kUnits) {
        if (left < unit.nanoseconds) continue;
        out.append(std::to_string(left / unit.nanoseconds)).append(unit.name);
        left %= unit.nanoseconds;
    }
    return out;
}

}  // namespace base
