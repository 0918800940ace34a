// LogLimiter: how much one container may log (executor-rep §10): bytes a second by a token bucket
// whose size is its rate, and lines a second when the operator says so. One that is over is silent
// for a whole second. Used by the hub; one thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace executor {

inline constexpr std::int64_t kNoLogLimit = -1;

class TokenBucket {
  public:
    using Time = std::chrono::steady_clock::time_point;

    TokenBucket(std::uint64_t per_second, Time now)
        : rate_(per_second), tokens_(static_cast<double>(per_second)), at_(now) {}

    // False takes nothing.
    bool take(std::uint64_t count, Time now);

    std::uint64_t rate() const { return rate_; }

  private:
    std::uint64_t rate_;
    double tokens_;
    Time at_;
};

class LogLimiter {
  public:
    using Time = TokenBucket::Time;

    enum class Verdict : std::uint8_t {
        pass,
        drop,            // and say nothing
        drop_and_notice  // the first of an overrun: notice() is said once
    };

    // `bytes`: -1 unlimited, 0 nothing at all and no word about it. `lines`: 0 = off.
    LogLimiter(std::int64_t bytes, std::uint64_t lines, Time now);

    Verdict decide(std::size_t bytes, Time now);

    // After drop_and_notice.
    const std::string& notice() const { return notice_; }

    std::int64_t bytes_limit() const { return bytes_limit_; }

  private:
    Verdict overrun(std::string notice, Time now);

    std::int64_t bytes_limit_;
    std::optional<TokenBucket> bytes_;
    std::optional<TokenBucket> lines_;
    std::optional<Time> silent_until_;
    std::string notice_;
};

}  // namespace executor
