#include "base/http/exchange.hpp"

#include "base/fail.hpp"
#include "base/trace.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>

namespace base::http {

namespace {

// How often a worker that waits for body bytes looks whether it was interrupted.
constexpr std::chrono::milliseconds kInterruptCheck{50};

std::string http_date() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[40];
    // The daemon sets no locale, so the names are English as HTTP wants them.
    const auto size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {text, size};
}

bool without_body(int status) {
    return status == 204 || status == 304 || status < 200;
}

// The chunked framing of a streamed answer; an empty write is nothing (it would be the end).
class ChunkWriter final : public Writer {
  public:
    ChunkWriter(Wire& wire, std::chrono::milliseconds timeout, bool chunked)
        : wire_(wire), timeout_(timeout), chunked_(chunked) {}

    Result<void> write(std::string_view data) override {
        if (data.empty()) return ok;
        if (!chunked_) return send(data);
        std::string framed = fmt::format("{:x}\r\n", data.size());
        framed.append(data).append("\r\n");
        return send(framed);
    }

    bool peer_gone() const override { return broken_ || sys::hung_up(wire_.socket()); }

    Result<void> finish() { return chunked_ ? send("0\r\n\r\n") : Result<void>(); }

  private:
    Result<void> send(std::string_view bytes) {
        // After half a chunk nothing that follows can be told apart: fail for good.
        if (broken_) return fail(Errc::unavailable, "the connection is broken");
        auto written = wire_.write_all(bytes, deadline_in(timeout_));
        broken_ = !written;
        return written;
    }

    Wire& wire_;
    std::chrono::milliseconds timeout_;
    bool chunked_;
    bool broken_ = false;
};

}  // namespace

Result<std::string> response_head(const Response& response, const std::string& request_id) {
    if (response.status < 100 || response.status > 599)
        return fail(Errc::internal, "response status {}", response.status);
    auto head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, status_reason(response.status));
    for (const auto& [name, value] : response.headers) {
        if (!is_token(name) || !is_header_value(value))
            return fail(Errc::internal, "response header '{}': not printable", name);
        head.append(name).append(": ").append(value).append("\r\n");
    }
    head.append("Date: ").append(http_date()).append("\r\n");
    head.append("X-Request-Id: ").append(request_id).append("\r\n\r\n");
    return head;
}

Result<std::size_t> ConnectionBody::read_some(std::span<char> into) {
    if (small_at_ < small_.size()) {
        const auto count = std::min(into.size(), small_.size() - small_at_);
        std::memcpy(into.data(), small_.data() + small_at_, count);
        small_at_ += count;
        return count;
    }
    if (complete_) return std::size_t{0};
    if (!session_) return fail(Errc::cancelled, "the request is over");
    return read_connection(into);
}

Result<std::size_t> ConnectionBody::read_connection(std::span<char> into) {
    auto& session = *session_;
    if (session.continue_wanted_) {
        session.continue_wanted_ = false;
        TRY(session.wire_.write_all(
                "HTTP/1.1 100 Continue\r\n\r\n",
                deadline_in(session.core_.config.limits.write_timeout)));
    }
    const auto deadline = deadline_in(session.core_.config.limits.body_timeout);
    std::vector<char> piece(kChunkBytes);
    for (;;) {
        const auto count = TRY(session.parser_->parse_body(into));
        if (session.parser_->complete()) complete_ = true;
        if (count > 0 || complete_) return count;
        if (interrupted_) return fail(Errc::cancelled, "reading the request body was interrupted");
        auto got = session.wire_.read_some(piece, std::min(deadline, deadline_in(kInterruptCheck)));
        if (!got && got.error().kind == Errc::timeout &&
            std::chrono::steady_clock::now() < deadline)
            continue;
        const auto bytes = TRY(std::move(got).context("request body"));
        if (bytes == 0) return fail(Errc::unavailable, "request body: the client broke off");
        session.parser_->append(std::string_view(piece.data(), bytes));
    }
}

bool ConnectionBody::peer_gone() const {
    return !session_ || sys::hung_up(session_->wire_.socket());
}

Deadline Exchange::write_deadline() const {
    return deadline_in(session_->core_.config.limits.write_timeout);
}

Response Exchange::ask_handler() {
    // A handler of ours does not throw; a library below it might, and one request must not end the
    // daemon.
    try {
        return session_->core_.handler(*request_);
    } catch (const std::exception& error) {
        return Response::error(fail(Errc::internal, "unexpected exception: {}", error.what()));
    }
}

Session::Outcome Exchange::answer_whole(Response& response, std::string& rest) {
    const bool drained = body_read();
    const bool keep = drained && session_->parser_->keep_alive && !session_->core_.draining;
    const bool http_1_0 = session_->parser_->version == 10;
    if (!without_body(response.status))
        response.headers.set("Content-Length", std::to_string(response.body.size()));
    if ((!keep && !response.silent_close) || http_1_0)
        response.headers.set("Connection", keep ? "keep-alive" : "close");
    auto text = response_head(response, request_->id);
    if (!text) {
        response = Response::error(text.error());
        response.headers.set("Content-Length", std::to_string(response.body.size()));
        text = response_head(response, request_->id);
    }
    if (!without_body(response.status) && request_->method != "HEAD") text->append(response.body);
    // As much as the socket takes; a slow reader is the I/O thread's business, not this worker's.
    std::string_view left = *text;
    while (!left.empty()) {
        const auto step = session_->wire_.try_write(left);
        if (!step) return Session::Outcome::close;
        if (step->kind != Wire::Step::Kind::done) break;
        left.remove_prefix(step->bytes);
    }
    rest = left;
    if (!drained) return Session::Outcome::linger;
    return keep ? Session::Outcome::keep : Session::Outcome::close;
}

Session::Outcome Exchange::answer_stream(Response& response) {
    const bool chunked = session_->parser_->version == 11;
    const bool keep =
            chunked && session_->parser_->keep_alive && !session_->core_.draining && body_read();
    if (chunked) response.headers.set("Transfer-Encoding", "chunked");
    if (!keep) response.headers.set("Connection", "close");
    const auto head = response_head(response, request_->id);
    if (!head || !session_->wire_.write_all(*head, write_deadline()))
        return Session::Outcome::close;
    ChunkWriter writer(session_->wire_, session_->core_.config.limits.write_timeout, chunked);
    Result<void> streamed;
    try {
        streamed = response.stream(writer);
    } catch (const std::exception& error) {
        streamed = fail(Errc::internal, "unexpected exception: {}", error.what());
    }
    if (!streamed || !writer.finish()) {
        // garden-api 8.2: the client must notice that the body is not whole; a plain close suffices
        // with chunks, without them only a reset does.
        if (!chunked) {
            const ::linger reset{.l_onoff = 1, .l_linger = 0};
            (void)::setsockopt(
                    session_->wire_.socket().get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        return Session::Outcome::close;
    }
    if (!body_read()) return Session::Outcome::linger;
    return keep ? Session::Outcome::keep : Session::Outcome::close;
}

Session::Outcome Exchange::answer_takeover(Response& response) {
    const auto head = response_head(response, request_->id);
    if (!head || !session_->wire_.write_all(*head, write_deadline()))
        return Session::Outcome::close;
    Hijacked hijacked{.socket = {}, .leftover = session_->parser_->take_leftover()};
    Wire wire;
    {
        const std::lock_guard lock(session_->release_mutex_);
        if (session_->core_.draining) return Session::Outcome::close;
        session_->released_ = true;
        (void)session_->descriptor_.release();
        wire = std::move(session_->wire_);
    }
    if (wire.secure()) {
        auto socket = session_->core_.start_pump(std::move(wire));
        if (!socket) return Session::Outcome::hijacked;  // closed with the wire
        hijacked.socket = std::move(socket).value();
    } else {
        hijacked.socket = wire.release();
    }
    (void)sys::set_blocking(hijacked.socket, true);  // cannot fail on an open socket
    static_cast<ConnectionBody&>(*request_->body).detach();
    session_->worker_done(Session::Outcome::hijacked, {});
    session_.reset();
    response.takeover(std::move(hijacked));
    return Session::Outcome::hijacked;
}

Session::Outcome Exchange::answer(Response& response, std::string& rest) {
    if (response.takeover) return answer_takeover(response);
    if (response.stream) return answer_stream(response);
    return answer_whole(response, rest);
}

void Exchange::served() const {
    const auto& hook = session_->core_.config.on_served;
    if (!hook) return;
    const auto time = std::chrono::steady_clock::now() - begin_;
    hook(
            Served{.id = request_->id,
                   .method = request_->method,
                   .path = request_->path,
                   .route = request_->route,
                   .peer = request_->peer.address,
                   .status = status_,
                   .duration = std::chrono::duration_cast<std::chrono::microseconds>(time)});
}

void Exchange::run() {
    const trace::Scope scope(request_->trace);
    auto response = ask_handler();
    status_ = response.status;
    // A hijacked connection is served when the takeover begins; who took it reports its own life.
    const bool reported = static_cast<bool>(response.takeover);
    if (reported) served();
    std::string rest;
    const auto outcome = answer(response, rest);
    response = {};
    if (!session_) return;
    static_cast<ConnectionBody&>(*request_->body).detach();
    if (!reported) served();
    session_->worker_done(outcome, std::move(rest));
    session_.reset();
}

}  // namespace base::http
