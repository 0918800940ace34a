// The pure half of a probe: what is asked, how an answer reads, the words of the outcome. The app
// in the container writes the answer, so nothing of it is believed or kept. Private to
// executor/checks, its tests and the fuzzer.
#pragma once

#include "base/result.hpp"
#include "executor/checks/checks.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace executor {

// As much of an answer as is read. The status line has to end in it.
inline constexpr std::size_t kMaxProbeAnswer = 4 * 1024;
inline constexpr std::chrono::milliseconds kProbeTimeout{1'000};  // executor-rep §7.2
inline constexpr std::chrono::milliseconds kMaxProbeTimeout{600'000};

// What a check says in numbers and words, whichever of its two kinds it is.
struct ProbeTarget {
    bool http = false;
    std::uint16_t port = 0;
    std::chrono::milliseconds timeout = kProbeTimeout;
    std::string path;  // http: as configured, "/" when empty
};

// Nothing when the check has neither kind.
std::optional<ProbeTarget> probe_target(const api::Check& check);

// `host`: "10.0.0.2:8080". What may not stand in a request line is percent-encoded.
std::string probe_request(const ProbeTarget& target, std::string_view host);

// The status of "HTTP/1.x NNN …\n"; nothing while the line is not whole. Errc::corrupt: not HTTP.
base::Result<std::optional<int>> probe_status(std::string_view answer);

ProbeAnswer probe_failed(const ProbeTarget& target, std::string_view reason);
ProbeAnswer probe_timed_out(const ProbeTarget& target);
ProbeAnswer probe_answered(const ProbeTarget& target, int status, std::chrono::nanoseconds took);

}  // namespace executor
