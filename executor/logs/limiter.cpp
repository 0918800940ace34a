#include "executor/logs/limiter.hpp"

#include "base/fail.hpp"

#include <algorithm>
#include <utility>

namespace executor {

namespace {

constexpr std::chrono::seconds kSilence{1};

}  // namespace

bool TokenBucket::take(std::uint64_t count, Time now) {
    const auto passed = std::chrono::duration<double>(now - at_).count();
    const auto full = static_cast<double>(rate_);
    tokens_ = std::min(full, tokens_ + std::max(passed, 0.0) * full);
    at_ = now;
    const auto wanted = static_cast<double>(count);
    // Sums of fractions may end a hair below the whole number they stand for.
    constexpr double kHair = 1e-6;
    if (tokens_ + kHair < wanted) return false;
    tokens_ = std::max(0.0, tokens_ - wanted);
    return true;
}

LogLimiter::LogLimiter(std::int64_t bytes, std::uint64_t lines, Time now) : bytes_limit_(bytes) {
    if (bytes > 0) bytes_.emplace(static_cast<std::uint64_t>(bytes), now);
    if (lines > 0) lines_.emplace(lines, now);
}

LogLimiter::Verdict LogLimiter::decide(std::size_t bytes, Time now) {
    if (bytes_limit_ == 0) return Verdict::drop;
    if (silent_until_ && now < *silent_until_) return Verdict::drop;
    silent_until_.reset();
    if (bytes_ && !bytes_->take(bytes, now))
        return overrun(
                base::format("app instance exceeded log rate limit ({} bytes/sec)", bytes_->rate()),
                now);
    if (lines_ && !lines_->take(1, now))
        return overrun(
                base::format(
                        "app instance exceeded log rate limit ({} log-lines/sec) set by platform "
                        "operator",
                        lines_->rate()),
                now);
    return Verdict::pass;
}

LogLimiter::Verdict LogLimiter::overrun(std::string notice, Time now) {
    silent_until_ = now + kSilence;
    notice_ = std::move(notice);
    return Verdict::drop_and_notice;
}

}  // namespace executor
