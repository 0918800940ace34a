#include "base/clock.hpp"

#include <time.h>

#include <thread>

#include <fmt/format.h>

namespace base {

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
