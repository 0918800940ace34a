// The parts of HTTP messages that both sides share: header fields, query, percent-decoding, status
// words. Used by base/http's server, router and client, and by whoever writes a handler.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace base::http {

// Request or status line and all fields; as much as Go servers take: a bulk query names a cell's
// containers in its target.
inline constexpr std::size_t kMaxHeaderBytes = 1024 * 1024;
inline constexpr std::size_t kMaxJsonBody = 4 * 1024 * 1024;  // a body that is read into memory
inline constexpr std::size_t kMaxTargetBytes = 512 * 1024;
inline constexpr std::size_t kMaxRequestIdBytes = 128;
// Carries a trace id through the logs of all that serve one request (executor-rep §14.1).
inline constexpr std::string_view kTraceHeader = "X-Vcap-Request-Id";
inline constexpr std::size_t kChunkBytes = 64 * 1024;  // one read or write of a streamed body

// Header fields in their order; names compare without case.
class Headers {
  public:
    Headers() = default;

    Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

    std::string_view get(std::string_view name) const;  // the first; "" when absent
    bool has(std::string_view name) const;

    void add(std::string name, std::string value) {
        fields_.emplace_back(std::move(name), std::move(value));
    }

    void set(std::string name, std::string value);  // replaces all of that name
    void remove(std::string_view name);
    // A comma separated field contains `token` (Connection: close).
    bool has_token(std::string_view name, std::string_view token) const;

    auto begin() const { return fields_.begin(); }

    auto end() const { return fields_.end(); }

    std::size_t size() const { return fields_.size(); }

  private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

// Query parameters in their order, form-decoded; the first value of a name wins.
class Query {
  public:
    static Result<Query> parse(std::string_view text);  // without '?'

    std::string_view get(std::string_view name) const;  // "" when absent
    bool has(std::string_view name) const;

    void add(std::string name, std::string value) {
        pairs_.emplace_back(std::move(name), std::move(value));
    }

    std::string text() const;  // form-encoded, without '?'

    auto begin() const { return pairs_.begin(); }

    auto end() const { return pairs_.end(); }

    std::size_t size() const { return pairs_.size(); }

    bool empty() const { return pairs_.empty(); }

  private:
    std::vector<std::pair<std::string, std::string>> pairs_;
};

// %XX only; '+' stays (garden-api §2). A stray '%' is Errc::invalid.
Result<std::string> percent_decode(std::string_view text);
// %XX and '+' for space, as in form bodies and queries.
Result<std::string> form_decode(std::string_view text);
// Everything outside RFC 3986 "unreserved" becomes %XX: safe as one path segment or as a query
// value.
std::string percent_encode(std::string_view text);

std::string_view status_reason(int status);
bool equal_ignoring_case(std::string_view a, std::string_view b);
// No control characters, no CR or LF: fit to be a header value. What does not fit is refused, never
// repaired.
bool is_header_value(std::string_view text);
bool is_token(std::string_view text);

}  // namespace base::http
