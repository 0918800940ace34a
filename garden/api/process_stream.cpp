#include "garden/api/process_stream.hpp"

#include "base/fail.hpp"
#include "base/sys/stream_socket.hpp"

#include <poll.h>

#include <algorithm>
#include <array>

namespace garden::api {

namespace {

// The server sends the first message together with the header.
constexpr std::chrono::seconds kFirstMessage{10};

// How many bytes at the end of `text` are the beginning of a UTF-8 character that goes on behind
// it.
std::size_t cut_tail(std::string_view text) {
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xC0) == 0x80) continue;
        const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        return length > back ? back : 0;
    }
    return 0;
}

}  // namespace

base::Result<ProcessStream> ProcessStream::begin(
        std::shared_ptr<base::http::Client> http, std::string path, base::http::Hijacked main) {
    ProcessStream stream;
    stream.http_ = std::move(http);
    stream.path_ = std::move(path);
    stream.main_ = std::move(main);
    TRY(stream.splitter_.feed(stream.main_.leftover));
    stream.main_.leftover.clear();
    const auto deadline = std::chrono::steady_clock::now() + kFirstMessage;
    for (;;) {
        const auto message = TRY(stream.next_message());
        if (message && message->error)
            return base::fail(base::Errc::internal, "process error: {}", *message->error);
        if (message && message->stream_id) {
            stream.process_id_ = message->process_id;
            stream.stream_id_ = *message->stream_id;
            return stream;
        }
        if (message) continue;
        if (!TRY(base::sys::wait_ready(stream.main_.socket, base::sys::Ready::read, deadline)))
            return base::fail(base::Errc::timeout, "process stream: no first message");
    }
}

base::Result<base::http::Hijacked> ProcessStream::open_output(bool is_stderr) const {
    auto stream = TRY(http_->open(
            {.method = "GET",
             .target = base::format(
                     "{}/{}/attaches/{}/{}", path_, base::http::percent_encode(process_id_),
                     base::http::percent_encode(stream_id_), is_stderr ? "stderr" : "stdout"),
             .headers = {},
             .body = {}}));
    if (!stream.good())
        return base::fail(
                base::Errc::unavailable, "open {} of process {}: status {}",
                is_stderr ? "stderr" : "stdout", process_id_, stream.status());
    return std::move(stream).hijack();
}

void ProcessStream::queue(const ProcessMessage& message) {
    pending_ += base::json::encode(message);
    pending_ += '\n';
}

void ProcessStream::send_input(std::string_view data) {
    std::string joined = std::move(cut_character_) + std::string(data);
    cut_character_.clear();
    std::string_view left = joined;
    while (!left.empty()) {
        auto piece = left.substr(0, kMaxInputChunk);
        const auto tail = cut_tail(piece);
        if (tail == piece.size()) break;
        piece.remove_suffix(tail);
        left.remove_prefix(piece.size());
        ProcessMessage message{.process_id = process_id_};
        message.source = 0;
        message.data = std::string(piece);
        queue(message);
    }
    cut_character_ = left;
}

void ProcessStream::send_input_end() {
    ProcessMessage message{.process_id = process_id_};
    message.source = 0;
    if (!cut_character_.empty()) {
        message.data = std::exchange(cut_character_, {});
        queue(message);
        message.data.reset();
    }
    queue(message);
}

void ProcessStream::send_window(std::uint16_t columns, std::uint16_t rows) {
    ProcessMessage message{.process_id = process_id_};
    message.tty = Tty{.window_size = WindowSize{.columns = columns, .rows = rows}};
    queue(message);
}

void ProcessStream::send_signal(StreamSignal signal) {
    ProcessMessage message{.process_id = process_id_};
    message.signal = static_cast<std::int64_t>(signal);
    queue(message);
}

base::Result<void> ProcessStream::flush() {
    while (!pending_.empty()) {
        auto sent = base::sys::send_now(main_.socket, pending_);
        if (!sent) {
            // The other side no longer reads: the exit status may still be there for receive().
            pending_.clear();
            return base::ok;
        }
        if (!*sent) return base::ok;
        pending_.erase(0, **sent);
    }
    return base::ok;
}

base::Result<std::optional<ProcessMessage>> ProcessStream::next_message() {
    std::array<char, 4096> piece{};
    for (;;) {
        if (const auto text = splitter_.next())
            return std::optional(TRY(base::json::decode<ProcessMessage>(*text)));
        const auto count = TRY(base::sys::receive_now(main_.socket, piece));
        if (!count) return std::optional<ProcessMessage>();
        if (*count == 0)
            return base::fail(
                    base::Errc::unavailable,
                    "process stream: the server closed it without an exit status");
        TRY(splitter_.feed(std::string_view(piece.data(), *count)));
    }
}

base::Result<std::optional<std::int32_t>> ProcessStream::receive() {
    for (;;) {
        const auto message = TRY(next_message());
        if (!message) return std::optional<std::int32_t>();
        if (message->error)
            return base::fail(base::Errc::internal, "process error: {}", *message->error);
        if (message->exit_status)
            return std::optional(static_cast<std::int32_t>(*message->exit_status));
    }
}

base::Result<std::int32_t> ProcessStream::wait(std::chrono::milliseconds timeout) {
    const auto deadline = timeout == base::http::kNoDeadline
                                  ? base::sys::SteadyTime::max()
                                  : std::chrono::steady_clock::now() + timeout;
    for (;;) {
        TRY(flush());
        if (const auto code = TRY(receive())) return *code;
        if (has_pending()) {
            // Both directions matter now, and the reading one must not wait behind the writing one.
            ::pollfd entry{.fd = main_.socket.get(), .events = POLLIN | POLLOUT, .revents = 0};
            (void)::poll(&entry, 1, 100);
            if (std::chrono::steady_clock::now() < deadline) continue;
        } else if (TRY(base::sys::wait_ready(main_.socket, base::sys::Ready::read, deadline))) {
            continue;
        }
        return base::fail(base::Errc::timeout, "wait for process {}: still running", process_id_);
    }
}

}  // namespace garden::api
