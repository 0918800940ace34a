// A person (or a pipe) connected to a process in a container: bytes, signals, window size, detach
// keys. Used by run, exec, attach and logs -f. One poll loop, one thread.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/api/process_stream.hpp"

#include <signal.h>

#include <cstdint>
#include <string>

namespace cli {

// While this lives, signals that would end the program wait in a descriptor, and SIGWINCH too.
class SignalGate {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
  public:
    static base::Result<SignalGate> open();
    SignalGate(SignalGate&&) noexcept = default;
    SignalGate& operator=(SignalGate&&) = delete;
    ~SignalGate();

    base::FdRef fd() const { return fd_; }

    int next();  // 0 when none waits

  private:
    SignalGate(base::Fd fd, const ::sigset_t& before) : fd_(std::move(fd)), before_(before) {}

    base::Fd fd_;
    ::sigset_t before_;
};

struct SessionOptions {
    enum class Input : std::uint8_t {
        pass,
        none,
        end
    };  // none: say nothing, end: the process reads an end at once
    Input input = Input::end;
    bool tty = false;             // raw terminal, detach keys, stderr is not opened
    bool forward_signals = true;  // else a signal ends the session
    std::string name;             // HANDLE PROCESS, as attach finds it again
    std::string already_out,
            already_err;  // the tail that was printed before: an overlap is not printed twice
};

struct SessionEnd {
    bool detached = false;
    std::int32_t code = 0;
};

base::Result<SessionEnd> run_session(
        garden::api::ProcessStream& stream, const SessionOptions& options, SignalGate& signals);

// How many bytes at the begin of `fresh` are the end of `printed`.
std::size_t overlap(std::string_view printed, std::string_view fresh);

}  // namespace cli
