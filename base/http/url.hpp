// Url: an http or https address that somebody gave us, taken apart for a client; never prints what
// may be secret in it. Used by callbacks and key sets of the brain.
#pragma once

#include "base/http/endpoint.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace base::http {

inline constexpr std::size_t kMaxUrl = 16 * 1024;

struct Url {
    Endpoint endpoint;          // tcp or tls, with a port
    std::string target;         // path and query, escaped
    std::string authorization;  // "Basic …" from user:password@, or ""

    std::string host_header() const;
    std::string shown() const;  // "https://host/path": no user, no password, no query
};

// Errc::invalid never repeats the text.
Result<Url> parse_url(std::string_view text);

}  // namespace base::http
