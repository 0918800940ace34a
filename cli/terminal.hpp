// The person's terminal: raw mode that is always undone, and its size. Used by sessions and
// progress.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <termios.h>

#include <cstdint>
#include <optional>

namespace cli {

struct TerminalSize {
    std::uint16_t columns = 80;
    std::uint16_t rows = 24;
};

bool is_terminal(base::FdRef fd);
// Nothing when `fd` is no terminal or knows no size.
std::optional<TerminalSize> terminal_size(base::FdRef fd);

// Raw until the destructor. The program must not leave by _exit or an unhandled signal meanwhile:
// sessions block the signals that would end it and read them as events.
class RawTerminal {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
  public:
    static base::Result<RawTerminal> enter(base::FdRef fd);
    RawTerminal(RawTerminal&& other) noexcept;
    RawTerminal& operator=(RawTerminal&&) = delete;
    ~RawTerminal();
    void restore();

  private:
    RawTerminal(base::FdRef fd, const ::termios& before) : fd_(fd), before_(before) {}

    base::FdRef fd_;
    std::optional<::termios> before_;
};

}  // namespace cli
