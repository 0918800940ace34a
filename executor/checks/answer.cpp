#include "executor/checks/answer.hpp"

#include "base/fail.hpp"

#include <algorithm>

namespace executor {

namespace {

std::chrono::milliseconds timeout_of(std::uint64_t milliseconds) {
    if (milliseconds == 0) return kProbeTimeout;
    const auto longest = static_cast<std::uint64_t>(kMaxProbeTimeout.count());
    return std::chrono::milliseconds(std::min(milliseconds, longest));
}

bool fits_request_line(char c) {
    return c > ' ' && c < '\x7f' && c != '"' && c != '<' && c != '>';
}

std::string attempt(const ProbeTarget& target) {
    if (!target.http) return base::format("failed to make TCP connection to port {}", target.port);
    return base::format("failed to make HTTP request to '{}' on port {}", target.path, target.port);
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

std::optional<ProbeTarget> probe_target(const api::Check& check) {
    if (check.http_check) {
        auto path = check.http_check->path;
        if (!path.starts_with('/')) path.insert(path.begin(), '/');
        return ProbeTarget{
                .http = true,
                .port = check.http_check->port,
                .timeout = timeout_of(check.http_check->request_timeout_ms),
                .path = std::move(path)};
    }
    if (!check.tcp_check) return std::nullopt;
    return ProbeTarget{
            .http = false,
            .port = check.tcp_check->port,
            .timeout = timeout_of(check.tcp_check->connect_timeout_ms),
            .path = {}};
}

std::string probe_request(const ProbeTarget& target, std::string_view host) {
    std::string path;
    for (const char c : target.path) {
        if (fits_request_line(c)) {
            path += c;
        } else {
            path += base::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    // Connection: close, so that a server does not wait for a second request of ours.
    return base::format(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: diego-healthcheck\r\n"
            "X-Forwarded-Proto: https\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            path, host);
}

base::Result<std::optional<int>> probe_status(std::string_view answer) {
    constexpr std::string_view kStart = "HTTP/1.";
    const auto shown = std::min(answer.size(), kStart.size());
    if (answer.substr(0, shown) != kStart.substr(0, shown))
        return base::fail(base::Errc::corrupt, "malformed HTTP response");
    const auto end = answer.find('\n');
    if (end == std::string_view::npos) {
        if (answer.size() >= kMaxProbeAnswer)
            return base::fail(
                    base::Errc::corrupt, "malformed HTTP response: a status line of over {} bytes",
                    kMaxProbeAnswer);
        return std::optional<int>();
    }
    auto line = answer.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    // "HTTP/1.1 200" and then a blank or nothing.
    const bool whole = line.size() >= 12 && is_digit(line[7]) && line[8] == ' ' &&
                       is_digit(line[9]) && is_digit(line[10]) && is_digit(line[11]) &&
                       (line.size() == 12 || line[12] == ' ');
    if (!whole) return base::fail(base::Errc::corrupt, "malformed HTTP response");
    return std::optional<int>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
}

ProbeAnswer probe_failed(const ProbeTarget& target, std::string_view reason) {
    return {.result = target.http ? ProbeResult::http_failed : ProbeResult::tcp_failed,
            .text = base::format("{}: {}", attempt(target), reason)};
}

ProbeAnswer probe_timed_out(const ProbeTarget& target) {
    const auto seconds = static_cast<double>(target.timeout.count()) / 1000.0;
    return {.result = target.http ? ProbeResult::http_timeout : ProbeResult::tcp_timeout,
            .text = base::format("{}: timed out after {:.2f} seconds", attempt(target), seconds)};
}

ProbeAnswer probe_answered(const ProbeTarget& target, int status, std::chrono::nanoseconds took) {
    if (status == 200) return {};
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    return {.result = ProbeResult::http_status,
            .text = base::format(
                    "{}: received status code {} in {}ms", attempt(target), status, time)};
}

}  // namespace executor
