// Clock: where time comes from, so that tests own it; durations as text ("90s", "1h30m"). Used by
// daemons and configuration.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

namespace base {

class Clock {
  public:
    virtual ~Clock() = default;
    virtual std::chrono::steady_clock::time_point monotonic() const = 0;
    virtual std::chrono::system_clock::time_point wall() const = 0;
};

class SystemClock final : public Clock {
  public:
    std::chrono::steady_clock::time_point monotonic() const override {
        return std::chrono::steady_clock::now();
    }

    std::chrono::system_clock::time_point wall() const override {
        return std::chrono::system_clock::now();
    }
};

// Stands still until a test moves it. Safe from any thread.
class ManualClock final : public Clock {
  public:
    std::chrono::steady_clock::time_point monotonic() const override;
    std::chrono::system_clock::time_point wall() const override;
    void advance(std::chrono::nanoseconds by);

  private:
    mutable std::mutex mutex_;
    std::chrono::nanoseconds passed_{0};
};

// "0", "500ms", "1.5s", "1h30m"; units ns us ms s m h. A bare number other than 0 is Errc::invalid:
// no guessing of units.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
// The shortest form that parse_duration reads back: "1h30m", "500ms", "0".
std::string to_text(std::chrono::nanoseconds duration);
// "2026-01-31T12:00:00.123456Z"
std::string to_rfc3339(std::chrono::system_clock::time_point time);

// For the few places where nothing but time can be waited for; each says why. Whatever has an event
// (a descriptor, a pidfd, a condition variable) is waited for with a deadline instead.
void pause_for(std::chrono::nanoseconds time);

}  // namespace base
