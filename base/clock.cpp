#include "base/clock.hpp"

#include "base/fail.hpp"

#include <time.h>

#include <array>
#include <charconv>
#include <cmath>
#include <thread>

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

std::chrono::steady_clock::time_point ManualClock::monotonic() const {
    const std::lock_guard lock(mutex_);
    return std::chrono::steady_clock::time_point(passed_);
}

std::chrono::system_clock::time_point ManualClock::wall() const {
    constexpr std::chrono::seconds kStart{1'700'000'000};
    const std::lock_guard lock(mutex_);
    return std::chrono::system_clock::time_point(kStart + passed_);
}

void ManualClock::advance(std::chrono::nanoseconds by) {
    const std::lock_guard lock(mutex_);
    passed_ += by;
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    const auto bad = [&](std::string_view why) {
        return fail(
                Errc::invalid, "duration '{}': {} (examples: 0, 500ms, 90s, 1h30m)",
                text.substr(0, 64), why);
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
    if (left <= 0) return left == 0 ? "0" : fmt::format("-{}", to_text(-duration));
    std::string out;
    for (const auto& unit : kUnits) {
        if (left < unit.nanoseconds) continue;
        out += fmt::format("{}{}", left / unit.nanoseconds, unit.name);
        left %= unit.nanoseconds;
    }
    return out;
}

std::string to_rfc3339(std::chrono::system_clock::time_point time) {
    const auto micros =
            std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const time_t seconds = micros / 1'000'000;
    tm parts{};
    (void)::gmtime_r(&seconds, &parts);
    return fmt::format(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
            parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, micros % 1'000'000);
}

void pause_for(std::chrono::nanoseconds time) {
    std::this_thread::sleep_for(time);
}

}  // namespace base
