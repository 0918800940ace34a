#include "cli/terminal.hpp"

#include "base/fail.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

namespace cli {

bool is_terminal(base::FdRef fd) {
    return ::isatty(fd.get()) == 1;
}

std::optional<TerminalSize> terminal_size(base::FdRef fd) {
    ::winsize size{};
    if (::ioctl(fd.get(), TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return {};
    return TerminalSize{.columns = size.ws_col, .rows = size.ws_row};
}

base::Result<RawTerminal> RawTerminal::enter(base::FdRef fd) {
    ::termios before{};
    if (::tcgetattr(fd.get(), &before) != 0)
        return base::fail_errno("read the terminal's settings");
    RawTerminal terminal(fd, before);
    ::termios raw = before;
    ::cfmakeraw(&raw);
    if (::tcsetattr(fd.get(), TCSADRAIN, &raw) != 0)
        return base::fail_errno("set the terminal to raw");
    return terminal;
}

RawTerminal::RawTerminal(RawTerminal&& other) noexcept
    : fd_(other.fd_), before_(std::exchange(other.before_, std::nullopt)) {}

RawTerminal::~RawTerminal() {
    restore();
}

void RawTerminal::restore() {
    if (!before_) return;
    // TCSAFLUSH: what was typed for the process is not for the shell behind us.
    (void)::tcsetattr(
            fd_.get(), TCSAFLUSH, &*before_);  // nothing is left to do if the terminal is gone
    before_.reset();
}

}  // namespace cli
