// What healthcheck was asked for: one look, or a watch that ends when something changes (edges
// 4.4). Used by its main() and its loop. Pure.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace lifecycle {

enum class Mode : std::uint8_t {
    once,
    startup,      // until it is healthy, or the time for starting is over
    liveness,     // until it is not healthy
    readiness,    // as liveness; another flag, so that a process list says which is which
    until_ready,  // until it is healthy, however long that takes
};

inline constexpr std::chrono::seconds kCheckTimeout{1};
inline constexpr std::chrono::seconds kStartupTimeout{60};

struct CheckOptions {
    std::uint16_t port = 8080;
    std::string uri;                                   // "" = a TCP connection is enough
    std::chrono::nanoseconds timeout = kCheckTimeout;  // of one look, all of it
    Mode mode = Mode::once;
    std::chrono::nanoseconds interval{0};                        // between two looks
    std::chrono::nanoseconds startup_timeout = kStartupTimeout;  // 0 = for ever
};

// Nothing when help was asked for. Errc::invalid names the flag.
base::Result<std::optional<CheckOptions>> parse_check_options(
        std::span<const char* const> arguments);
std::string check_usage();

}  // namespace lifecycle
