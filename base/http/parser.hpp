// HTTP/1.1 framing without I/O: bytes in, header and body pieces out, leftover kept. Private to
// base/http. The only file that includes Beast is parser.cpp.
#pragma once

#include "base/http/message.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace base::http {

class Parser {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
  public:
    enum class Kind : std::uint8_t { request, response };
    Parser(Kind kind, std::size_t header_limit);
    ~Parser();
    Parser(Parser&&) noexcept;
    Parser& operator=(Parser&&) noexcept;

    void append(std::string_view bytes) { buffer_.append(bytes); }

    // True once the header is complete. Errc::exhausted: over the limit; Errc::corrupt: not HTTP.
    Result<bool> parse_header();
    // Bytes of the body out of what was appended; 0 and not complete(): append more.
    Result<std::size_t> parse_body(std::span<char> into);
    bool complete() const;  // the message has ended
    // The connection has ended: fine for a body that runs until then, Errc::unavailable otherwise.
    Result<void> end_of_stream();

    bool buffered() const { return at_ < buffer_.size(); }

    std::string take_leftover();  // behind the header (hijack) or the message

    // After the header:
    std::string method, target;
    int status = 0;
    unsigned version = 11;
    bool chunked = false;
    bool keep_alive = true;
    bool has_body = false;
    std::optional<std::uint64_t> content_length;
    Headers headers;

    struct Impl;  // parser.cpp
    struct RequestImpl;
    struct ResponseImpl;

  private:
    void consume(std::size_t count);
    std::unique_ptr<Impl> impl_;
    std::string buffer_;
    std::size_t at_ = 0;
};

}  // namespace base::http
