#include "base/fail.hpp"
#include "base/http/client_connection.hpp"

#include <sys/socket.h>

#include <algorithm>

namespace base::http {

namespace {

Deadline deadline_or_never(std::chrono::milliseconds timeout) {
    return timeout == kNoDeadline ? Deadline::max() : deadline_in(timeout);
}

}  // namespace

ClientStream::ClientStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ClientStream::ClientStream(ClientStream&&) noexcept = default;
ClientStream& ClientStream::operator=(ClientStream&&) noexcept = default;
ClientStream::~ClientStream() = default;

int ClientStream::status() const {
    return impl_->parser.status;
}

const Headers& ClientStream::headers() const {
    return impl_->parser.headers;
}

// The connection is free for the next call, when both sides agree where this answer ended.
void ClientStream::Impl::finish() {
    over = true;
    const std::lock_guard lock(mutex);
    if (!cancelled && whole_request_sent && parser.keep_alive && !parser.buffered())
        client->give_back(std::move(wire));
    wire = Wire();
}

Result<std::size_t> ClientStream::Impl::read_some(std::span<char> into, Deadline deadline) {
    std::vector<char> piece;
    while (!over) {
        const auto count = TRY(parser.parse_body(into));
        if (count > 0) return count;
        if (parser.complete()) {
            finish();
            break;
        }
        if (!wire.socket()) return fail(Errc::cancelled, "the connection was given away");
        piece.resize(kChunkBytes);
        auto got = wire.read_some(piece, deadline);
        if (cancelled) return fail(Errc::cancelled, "reading the answer was cancelled");
        const auto bytes = TRY(std::move(got));
        if (bytes > 0) {
            parser.append(std::string_view(piece.data(), bytes));
            continue;
        }
        TRY(parser.end_of_stream());
        parser.keep_alive = false;
        finish();
    }
    return std::size_t{0};
}

Result<std::size_t> ClientStream::read_some(
        std::span<char> into, std::chrono::milliseconds timeout) {
    return impl_->read_some(into, deadline_or_never(timeout));
}

Result<std::string> ClientStream::read_all(std::size_t limit, std::chrono::milliseconds timeout) {
    const auto deadline = deadline_or_never(timeout);
    std::string all;
    std::vector<char> piece(16 * 1024);
    for (;;) {
        const auto count = TRY(impl_->read_some(piece, deadline));
        if (count == 0) return all;
        if (all.size() + count > limit)
            return fail(Errc::exhausted, "answer: over {} bytes", limit);
        all.append(piece.data(), count);
    }
}

Result<Hijacked> ClientStream::hijack() && {
    if (impl_->wire.secure()) return fail(Errc::unsupported, "take over a TLS connection");
    const std::lock_guard lock(impl_->mutex);
    if (impl_->cancelled || !impl_->wire.socket())
        return fail(Errc::cancelled, "the connection is gone");
    Hijacked hijacked{.socket = impl_->wire.release(), .leftover = impl_->parser.take_leftover()};
    TRY(sys::set_blocking(hijacked.socket, true));
    return hijacked;
}

void ClientStream::cancel() {
    impl_->cancel();
}

void ClientStream::Impl::cancel() {
    cancelled = true;
    const std::lock_guard lock(mutex);
    if (wire.socket()) sys::shut_down(wire.socket(), SHUT_RDWR);
}

namespace {

// The first whole line of `buffer`, removed from it.
std::optional<std::string> take_line(std::string& buffer) {
    const auto end = buffer.find('\n');
    if (end == std::string::npos) return {};
    std::string line = buffer.substr(0, end);
    buffer.erase(0, end + 1);
    if (line.ends_with('\r')) line.pop_back();
    return line;
}

void apply_field(std::string_view line, Event& event, bool& has_data) {
    const auto colon = std::min(line.find(':'), line.size());
    const auto name = line.substr(0, colon);
    auto value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "event") event.name = value;
    if (name == "id") event.id = value;
    if (name != "data") return;
    if (has_data) event.data.push_back('\n');
    event.data.append(value);
    has_data = true;
}

// A whole event at the front of `buffer`, if there is one; comments alone are no event.
std::optional<Event> take_event(std::string& buffer) {
    for (;;) {
        auto end = buffer.find("\n\n");
        const auto other = buffer.find("\n\r\n");
        end = other < end ? other + 3 : (end == std::string::npos ? end : end + 2);
        if (end == std::string::npos) return {};
        std::string block = buffer.substr(0, end);
        buffer.erase(0, end);
        Event event{.name = "message", .data = {}, .id = {}};
        bool has_data = false;
        while (auto line = take_line(block)) apply_field(*line, event, has_data);
        if (has_data) return event;
    }
}

}  // namespace

Result<std::optional<Event>> EventReader::next(std::chrono::milliseconds timeout) {
    const auto deadline = deadline_or_never(timeout);
    std::vector<char> piece(16 * 1024);
    for (;;) {
        if (auto event = take_event(buffer_)) return event;
        if (ended_) return std::optional<Event>();
        auto left = timeout;
        if (timeout != kNoDeadline)
            left = std::max(
                    std::chrono::ceil<std::chrono::milliseconds>(
                            deadline - std::chrono::steady_clock::now()),
                    std::chrono::milliseconds{1});
        const auto count = TRY(stream_.read_some(piece, left));
        ended_ = count == 0;
        if (buffer_.size() + count > kMaxJsonBody)
            return fail(Errc::exhausted, "event: over {} bytes", kMaxJsonBody);
        buffer_.append(piece.data(), count);
    }
}

}  // namespace base::http
