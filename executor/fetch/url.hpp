// Url: an http or https address as recipes name it, without ever showing what may be secret in it.
// Private to executor/fetch.
#pragma once

#include "base/http/endpoint.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace executor {

inline constexpr std::size_t kMaxUrl = 16 * 1024;

struct Url {
    base::http::Endpoint endpoint;  // tcp or tls
    std::string target;             // path and query, escaped
    std::string authorization;      // "Basic …" from user:password@, or ""

    std::string host_header() const;
    // "https://host:443/path": no user, no password, no query (signatures live there).
    std::string shown() const;
    bool same_server(const Url& other) const;
};

// Errc::invalid never repeats the text.
base::Result<Url> parse_url(std::string_view text);
// `location` of an answer from `base`: absolute, //host/path, /path or relative.
base::Result<Url> resolve_location(const Url& base, std::string_view location);

}  // namespace executor
