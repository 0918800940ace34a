#include "cli/session.hpp"

#include "base/fail.hpp"
#include "base/sys/partial.hpp"
#include "base/sys/stream_socket.hpp"
#include "cli/context.hpp"
#include "cli/detach_keys.hpp"
#include "cli/terminal.hpp"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <optional>

namespace cli {

namespace {

using Clock = std::chrono::steady_clock;

// After the exit status the server closes the outputs (garden-api 7.4); a server that does not is
// not waited for.
constexpr std::chrono::seconds kOutputEnd{10};
constexpr int kEndKey = 500;      // ms: between two presses of ctrl-d
constexpr int kEndOfTime = 1000;  // ms: how often the deadline above is looked at

// One output of the process, copied to a descriptor of ours.
class Output {
  public:
    Output() = default;

    Output(base::http::Hijacked source, int target, std::string already)
        : socket_(std::move(source.socket)),
          target_(target),
          early_(std::move(source.leftover)),
          already_(std::move(already)) {}

    base::FdRef socket() const { return socket_; }

    bool open() const { return static_cast<bool>(socket_); }

    bool reader_left() const { return reader_left_; }

    // What had come before we looked, without what was printed already.
    void begin() {
        std::array<char, 64 * 1024> piece{};
        if (!already_.empty() && open()) {
            auto count = base::sys::receive_now(socket_, piece);
            if (count && *count) early_.append(piece.data(), **count);
        }
        write(std::string_view(early_).substr(overlap(already_, early_)));
        early_.clear();
    }

    // One block, which waits for our reader: that is the back-pressure. Not more: where the process
    // is the faster one there is always more, and signals and keys would wait for its end.
    void copy() {
        std::array<char, 64 * 1024> piece{};
        auto count = base::sys::receive_now(socket_, piece);
        if (count && !*count) return;
        if (!count || **count == 0) {
            socket_.reset();
            return;
        }
        write(std::string_view(piece.data(), **count));
    }

  private:
    void write(std::string_view data) {
        if (reader_left_ || data.empty()) return;
        reader_left_ = !write_out(base::FdRef(target_), data);
    }

    base::Fd socket_;
    int target_ = -1;
    std::string early_, already_;
    bool reader_left_ = false;
};

class Session {
  public:
    Session(garden::api::ProcessStream& stream, const SessionOptions& options, SignalGate& signals)
        : stream_(stream), options_(options), signals_(signals) {}

    base::Result<SessionEnd> run();

  private:
    base::Result<void> open();
    base::Result<void> wait_for_events();
    base::Result<void> read_input();
    void end_terminal();
    void take_signals();

    bool outputs_over() const { return !out_.open() && !err_.open(); }

    void mind_lost_reader();

    garden::api::ProcessStream& stream_;
    const SessionOptions& options_;
    SignalGate& signals_;
    Output out_, err_;
    DetachKeys keys_;
    std::optional<RawTerminal> raw_;
    std::optional<std::int32_t> code_;
    Clock::time_point code_time_;
    bool input_open_ = false;
    bool terminal_ending_ = false;  // our input has ended, the process has a terminal
    bool asked_to_end_ = false;
    bool detached_ = false;
    bool connection_over_ = false;
};

base::Result<void> Session::open() {
    out_ = Output(TRY(stream_.open_output(false)), STDOUT_FILENO, options_.already_out);
    if (!options_.tty)
        err_ = Output(TRY(stream_.open_output(true)), STDERR_FILENO, options_.already_err);
    input_open_ = options_.input == SessionOptions::Input::pass;
    if (options_.input == SessionOptions::Input::end) stream_.send_input_end();
    if (options_.tty && input_open_ && is_terminal(base::FdRef(STDIN_FILENO)))
        raw_.emplace(TRY(RawTerminal::enter(base::FdRef(STDIN_FILENO))));
    out_.begin();
    err_.begin();
    return base::ok;
}

base::Result<void> Session::wait_for_events() {
    const auto watch = [](base::FdRef fd, bool wanted, short events = POLLIN) {
        return ::pollfd{.fd = wanted ? fd.get() : -1, .events = events, .revents = 0};
    };
    // Input is read only when the last of it is on its way: a process that does not read holds our
    // stdin back.
    std::array<::pollfd, 5> entries{
            watch(stream_.socket(), !connection_over_,
                  stream_.has_pending() ? static_cast<short>(POLLIN | POLLOUT)
                                        : static_cast<short>(POLLIN)),
            watch(out_.socket(), out_.open()), watch(err_.socket(), err_.open()),
            watch(base::FdRef(STDIN_FILENO), input_open_ && !stream_.has_pending()),
            watch(signals_.fd(), true)};
    const int patience = code_ ? kEndOfTime : terminal_ending_ ? kEndKey : -1;
    const int count = ::poll(entries.data(), entries.size(), patience);
    if (count < 0 && errno != EINTR) return base::fail_errno("poll");
    if (count == 0) end_terminal();
    if (count <= 0) return base::ok;
    if (entries[4].revents != 0) take_signals();
    const auto before = Clock::now();
    if (entries[1].revents != 0) out_.copy();
    if (entries[2].revents != 0) err_.copy();
    code_time_ += Clock::now() - before;  // our reader's time is not the server's
    if (entries[3].revents != 0) TRY(read_input());
    if (entries[0].revents == 0) return base::ok;
    auto code = stream_.receive();
    if (!code) return std::move(code).error();
    if (*code) {
        code_ = **code;
        code_time_ = Clock::now();
        connection_over_ = true;
        input_open_ = false;
    }
    return base::ok;
}

// A terminal does not end with its input; the key that says so does it for our pipe. A program that
// changes the terminal's mode at that moment loses the key, so it is pressed until somebody ends.
void Session::end_terminal() {
    if (terminal_ending_ && !connection_over_ && !stream_.has_pending()) stream_.send_input("\x04");
}

base::Result<void> Session::read_input() {
    std::array<char, garden::api::kMaxInputChunk> piece{};
    const auto count = base::sys::read_some(base::FdRef(STDIN_FILENO), piece);
    if (count && !*count) return base::ok;
    // A terminal that hung up (EIO) is an end like any other.
    if (!count || **count == 0) {
        input_open_ = false;
        if (options_.tty) {
            terminal_ending_ = true;
            end_terminal();
        } else {
            stream_.send_input_end();
        }
        return base::ok;
    }
    const std::string_view data(piece.data(), **count);
    if (!raw_) {
        stream_.send_input(data);
        return base::ok;
    }
    const auto typed = keys_.feed(data);
    if (!typed.data.empty()) stream_.send_input(typed.data);
    detached_ = typed.detach;
    return base::ok;
}

void Session::take_signals() {
    while (const int number = signals_.next()) {
        if (number == SIGWINCH) {
            const auto size =
                    options_.tty ? terminal_size(base::FdRef(STDOUT_FILENO)) : std::nullopt;
            if (size) stream_.send_window(size->columns, size->rows);
            continue;
        }
        if (!options_.forward_signals) {
            detached_ = true;
            continue;
        }
        // The wire knows terminate and kill only; who asks a second time means it.
        stream_.send_signal(
                asked_to_end_ ? garden::api::StreamSignal::kill
                              : garden::api::StreamSignal::terminate);
        asked_to_end_ = true;
    }
}

// `cloche run … | head`: the process would write to nobody for ever.
void Session::mind_lost_reader() {
    if (asked_to_end_ || !(out_.reader_left() || err_.reader_left())) return;
    if (!options_.forward_signals) {
        detached_ = true;
        return;
    }
    asked_to_end_ = true;
    stream_.send_signal(garden::api::StreamSignal::terminate);
}

base::Result<SessionEnd> Session::run() {
    TRY(open());
    for (;;) {
        TRY(stream_.flush());
        if (code_ && (outputs_over() || Clock::now() - code_time_ > kOutputEnd))
            return SessionEnd{.detached = false, .code = *code_};
        TRY(wait_for_events());
        mind_lost_reader();
        if (!detached_) continue;
        TRY(stream_.flush());
        return SessionEnd{.detached = true, .code = 0};
    }
}

}  // namespace

std::size_t overlap(std::string_view printed, std::string_view fresh) {
    for (auto size = std::min(printed.size(), fresh.size()); size > 0; --size)
        if (printed.substr(printed.size() - size) == fresh.substr(0, size)) return size;
    return 0;
}

base::Result<SignalGate> SignalGate::open() {
    ::sigset_t wanted, before;
    ::sigemptyset(&wanted);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH})
        ::sigaddset(&wanted, number);
    if (::pthread_sigmask(SIG_BLOCK, &wanted, &before) != 0)
        return base::fail(base::Errc::internal, "block signals");
    base::Fd fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return base::fail_errno("signalfd");
    return SignalGate(std::move(fd), before);
}

SignalGate::~SignalGate() {
    if (fd_)
        (void)::pthread_sigmask(
                SIG_SETMASK, &before_, nullptr);  // cannot fail with a mask that was given to us
}

int SignalGate::next() {
    std::array<char, sizeof(::signalfd_siginfo)> bytes{};
    const auto count = base::sys::read_some(fd_, bytes);
    if (!count || !*count || **count != bytes.size()) return 0;
    return static_cast<int>(std::bit_cast<::signalfd_siginfo>(bytes).ssi_signo);
}

base::Result<SessionEnd> run_session(
        garden::api::ProcessStream& stream, const SessionOptions& options, SignalGate& signals) {
    auto end = Session(stream, options, signals).run();
    if (end || end.error().kind != base::Errc::unavailable) return end;
    auto error = std::move(end).error();
    error.text += "\nhint: processes outlive the daemon; look with: cloche attach " + options.name;
    return error;
}

}  // namespace cli
