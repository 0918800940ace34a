// The HTTP of a health check: the text of the request, and what must be understood of an answer.
// The app writes the answer, so nothing of it is believed or kept. Pure. Used by check.cpp.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lifecycle {

inline constexpr std::size_t kMaxUri = std::size_t{8} << 10;
inline constexpr std::size_t kMaxHead = std::size_t{16} << 10;  // status line and fields
inline constexpr std::uint64_t kMaxBody = std::uint64_t{16} << 20;
inline constexpr int kMaxInterim = 8;  // answers of 1xx before the real one

// `host`: "10.254.0.2:8080". Errc::invalid: no request can be made of this URI.
base::Result<std::string> request_text(std::string_view uri, std::string_view host);

// Takes an answer as it comes. The status decides; the body is only counted, to know when to stop.
class Answer {
  public:
    // Errc::corrupt: this is not HTTP.
    base::Result<void> feed(std::string_view bytes);

    std::optional<int> status() const { return status_; }

    // All of the body is here, or as much as anyone reads. Without a length only the end of the
    // connection tells.
    bool complete() const;

  private:
    base::Result<void> read_head();
    void read_field(std::string_view line);
    void count_body(std::string_view bytes);

    std::string head_;  // until it is whole
    std::optional<int> status_;
    int interim_ = 0;
    bool chunked_ = false;
    std::optional<std::uint64_t> length_;
    std::uint64_t received_ = 0;
    std::string tail_;  // the last bytes of the body
};

}  // namespace lifecycle
