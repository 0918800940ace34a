// LineSplitter: raw output in pieces of any size becomes lines (executor-rep §10): ends at \n or
// \r, empty ones are nothing, long ones are cut between characters. Where the pieces were cut
// changes nothing. Used by the hub.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace executor {

inline constexpr std::size_t kMaxLogLine = 61'440;  // bytes (edges §11.1)

// The longest beginning of `text` of at most `limit` bytes that cuts no UTF-8 sequence. Never 0 for
// a text and a limit of 4 or more: what is no UTF-8 is cut at the limit.
std::size_t cut_between_characters(std::string_view text, std::size_t limit);

class LineSplitter {
  public:
    explicit LineSplitter(std::size_t limit = kMaxLogLine) : limit_(limit) {}

    // Calls line(std::string_view) for each line that has ended; the view is valid in the call.
    template <class F>
    void feed(std::string_view bytes, F&& line) {
        while (!bytes.empty()) {
            const auto end = bytes.find_first_of("\r\n");
            const auto piece = bytes.substr(0, end);
            // Most lines come whole: they need no copy.
            if (rest_.empty() && end != std::string_view::npos && piece.size() <= limit_) {
                if (!piece.empty()) line(piece);
            } else {
                keep(piece, line);
                if (end != std::string_view::npos) flush(line);
            }
            if (end == std::string_view::npos) return;
            bytes.remove_prefix(end + 1);
        }
    }

    // What is left without an end is a line.
    template <class F>
    void flush(F&& line) {
        if (!rest_.empty()) line(std::string_view(rest_));
        forget();
    }

    std::size_t kept() const { return rest_.size(); }

  private:
    template <class F>
    void keep(std::string_view piece, F&& line) {
        while (!piece.empty()) {
            const auto room = limit_ + 1 - rest_.size();
            rest_.append(piece.substr(0, room));
            piece.remove_prefix(std::min(room, piece.size()));
            if (rest_.size() <= limit_) return;
            const auto cut = cut_between_characters(rest_, limit_);
            line(std::string_view(rest_).substr(0, cut));
            rest_.erase(0, cut);
        }
    }

    // A buffer that once held a long line is not kept: a cell has hundreds of these.
    void forget() {
        constexpr std::size_t kWorthKeeping = 1024;
        if (rest_.capacity() > kWorthKeeping) {
            rest_ = std::string();
        } else {
            rest_.clear();
        }
    }

    std::size_t limit_;
    std::string rest_;  // limit_ bytes at most between calls
};

}  // namespace executor
