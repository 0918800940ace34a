#include "base/http/client.hpp"

#include "base/fail.hpp"
#include "base/http/client_connection.hpp"
#include "base/trace.hpp"

#include <poll.h>

#include <algorithm>

namespace base::http {

namespace {

bool repeatable(const ClientRequest& request) {
    return !request.upload && request.method != "POST" && request.method != "PATCH";
}

Result<std::string> request_head(const ClientConfig& config, const ClientRequest& request) {
    if (!is_token(request.method))
        return fail(Errc::invalid, "request method '{}'", request.method);
    if (request.target.empty() || request.target.front() != '/' ||
        request.target.size() > kMaxTargetBytes || request.target.find(' ') != std::string::npos ||
        !is_header_value(request.target))
        return fail(
                Errc::invalid, "request target '{}'",
                std::string_view(request.target).substr(0, 128));
    Headers headers = config.headers;
    for (const auto& [name, value] : request.headers) headers.set(name, value);
    if (config.hand_on_trace && !trace::current().empty())
        headers.set(std::string(kTraceHeader), trace::current());
    if (!headers.has("Host"))
        headers.set(
                "Host",
                config.endpoint.host.empty() ? std::string("localhost") : config.endpoint.host);
    if (request.upload && request.upload_size) {
        headers.set("Content-Length", std::to_string(*request.upload_size));
    } else if (request.upload) {
        headers.set("Transfer-Encoding", "chunked");
    } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
        headers.set("Content-Length", std::to_string(request.body.size()));
    }
    auto head = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (const auto& [name, value] : headers) {
        if (!is_token(name) || !is_header_value(value))
            return fail(Errc::invalid, "request header '{}': not printable", name);
        head.append(name).append(": ").append(value).append("\r\n");
    }
    return head.append("\r\n");
}

// False: an answer has begun to arrive before everything was sent.
Result<bool> write_unless_answered(Wire& wire, std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        const auto step = TRY(wire.try_write(data));
        if (step.kind == Wire::Step::Kind::done) {
            data.remove_prefix(step.bytes);
            continue;
        }
        // TLS has records of its own to read, so there a readable socket says nothing.
        ::pollfd entry{.fd = wire.socket().get(), .events = POLLOUT, .revents = 0};
        if (!wire.secure() || step.kind == Wire::Step::Kind::want_read)
            entry.events = static_cast<short>(entry.events | POLLIN);
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
        const int time = deadline == Deadline::max()
                                 ? -1
                                 : static_cast<int>(std::clamp<long>(left.count(), 0, 1'000'000));
        if (::poll(&entry, 1, time) == 0)
            return fail(Errc::timeout, "send the request: no progress in time");
        if (!wire.secure() && (entry.revents & POLLIN) != 0) return false;
    }
    return true;
}

// The wire's form of one piece of an upload: itself under Content-Length, else a chunk. `sent` is
// what went before.
Result<std::string> frame(
        const ClientRequest& request, std::string_view piece, std::uint64_t sent) {
    if (request.upload_size) {
        const auto size = *request.upload_size;
        if (piece.size() > size - sent || (piece.empty() && sent < size))
            return fail(
                    Errc::corrupt, "request body: {} bytes, not the {} announced",
                    sent + piece.size(), size);
        return std::string(piece);
    }
    if (piece.empty()) return std::string("0\r\n\r\n");
    return fmt::format("{:x}\r\n", piece.size()).append(piece).append("\r\n");
}

// Sends the body. False: the server answered early, the rest was not sent.
Result<bool> send_upload(Wire& wire, const ClientRequest& request, Deadline deadline) {
    std::vector<char> piece(kChunkBytes);
    std::uint64_t sent = 0;
    for (;;) {
        const auto count = TRY(request.upload(piece));
        const auto framed = TRY(frame(request, std::string_view(piece.data(), count), sent));
        sent += count;
        if (!TRY(write_unless_answered(wire, framed, deadline))) return false;
        if (count == 0) return true;
        if (!wire.secure() &&
            TRY(sys::wait_ready(wire.socket(), sys::Ready::read, Deadline::min())))
            return false;
    }
}

}  // namespace

Client::Client(ClientConfig config) : impl_(std::make_shared<Impl>(std::move(config))) {}

Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

const Endpoint& Client::endpoint() const {
    return impl_->config.endpoint;
}

Result<Wire> Client::Impl::connect(
        Deadline deadline, bool fresh, bool& reused, const std::stop_token& stop) {
    reused = false;
    if (!fresh) {
        const std::lock_guard lock(mutex);
        while (!idle.empty()) {
            Wire wire = std::move(idle.back());
            idle.pop_back();
            // Readable while idle: the server closed it, or talks out of turn.
            auto readable = sys::wait_ready(wire.socket(), sys::Ready::read, Deadline::min());
            if (!readable || *readable) continue;
            reused = true;
            return wire;
        }
    }
    SSL_CTX* context = nullptr;
    if (config.endpoint.kind == Endpoint::Kind::tls) context = TRY(tls_context());
    auto wire =
            dial(config.endpoint, context, std::min(deadline, deadline_in(config.connect_timeout)),
                 stop);
    // Whatever the reason, the caller's decision is the same: the server cannot be reached now.
    if (!wire && stop.stop_requested()) return fail(Errc::cancelled, "connecting was cancelled");
    if (!wire && wire.error().kind != Errc::timeout && wire.error().kind != Errc::denied &&
        wire.error().kind != Errc::invalid)
        wire.error().kind = Errc::unavailable;
    return wire;
}

Result<SSL_CTX*> Client::Impl::tls_context() {
    const std::lock_guard lock(mutex);
    if (!tls) tls = TRY(make_client_context(config.endpoint.tls));
    return tls.get();
}

void Client::Impl::give_back(Wire wire) {
    const std::lock_guard lock(mutex);
    if (idle.size() < config.idle_connections) idle.push_back(std::move(wire));
}

Result<void> ClientStream::Impl::send(
        const std::string& head, const ClientRequest& request, Deadline deadline) {
    if (!request.upload) return wire.write_all(head + request.body, deadline);
    TRY(wire.write_all(head, deadline));
    whole_request_sent = false;
    whole_request_sent = TRY(send_upload(wire, request, deadline));
    return ok;
}

Result<void> ClientStream::Impl::read_header(Deadline deadline) {
    std::vector<char> piece(16 * 1024);
    for (;;) {
        while (!TRY(parser.parse_header())) {
            const auto count = TRY(wire.read_some(piece, deadline));
            if (count == 0)
                return fail(
                        Errc::unavailable, "the server closed the connection without an answer");
            answer_begun = true;
            parser.append(std::string_view(piece.data(), count));
        }
        if (parser.status >= 200 || parser.status == 101) return ok;
        auto leftover = parser.take_leftover();
        parser = Parser(Parser::Kind::response, kMaxHeaderBytes);
        parser.append(leftover);
    }
}

Result<ClientStream> Client::open(ClientRequest request) {
    const auto where = fmt::format(
            "{} {} at {}", request.method, request.target, impl_->config.endpoint.text());
    const auto deadline =
            request.timeout == kNoDeadline ? Deadline::max() : deadline_in(request.timeout);
    const auto head = TRY(request_head(impl_->config, request).context(where));
    for (bool fresh = false;; fresh = true) {
        bool reused = false;
        auto wire = TRY(impl_->connect(deadline, fresh, reused, request.stop).context(where));
        auto stream = std::make_unique<ClientStream::Impl>(impl_, std::move(wire));
        stream->on_stop.emplace(request.stop, ClientStream::Impl::Cancel{stream.get()});
        auto sent = stream->send(head, request, deadline);
        // A server that answers early and closes makes our writing fail, but its answer may be
        // there to read.
        const bool try_answer = sent || (sent.error().kind == Errc::unavailable);
        auto got = try_answer ? stream->read_header(deadline) : Result<void>();
        if (!sent && (!got || !try_answer)) got = std::move(sent);
        if (stream->cancelled) return fail(Errc::cancelled, "{}: cancelled", where);
        if (got) return ClientStream(std::move(stream));
        // A kept connection that the server closed meanwhile: once more, when a second time does no
        // harm.
        if (reused && !stream->answer_begun && repeatable(request) &&
            got.error().kind == Errc::unavailable)
            continue;
        return std::move(got).context(where).error();
    }
}

Result<ClientResponse> Client::call(ClientRequest request, std::size_t body_limit) {
    const auto where = fmt::format(
            "{} {} at {}", request.method, request.target, impl_->config.endpoint.text());
    const auto timeout = request.timeout;
    const auto deadline = deadline_in(timeout);
    auto stream = TRY(open(std::move(request)));
    // One deadline for the whole call; the least that is left is not zero, which would mean for
    // ever.
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
    left = timeout == kNoDeadline ? kNoDeadline : std::max(left, std::chrono::milliseconds{1});
    auto body = TRY(stream.read_all(body_limit, left).context(where));
    return ClientResponse{
            .status = stream.status(), .headers = stream.headers(), .body = std::move(body)};
}

}  // namespace base::http
