#include "base/http/session.hpp"

#include "base/fail.hpp"
#include "base/http/exchange.hpp"
#include "base/trace.hpp"

#include <array>
#include <random>

#include <boost/asio/post.hpp>

namespace base::http {

namespace {

std::string random_id() {
    static thread_local std::mt19937_64 generator{std::random_device{}()};
    return fmt::format("{:016x}{:016x}", generator(), generator());
}

// An id from the client is kept only when it is short and harmless in logs and headers.
std::string request_id(const Headers& headers) {
    const auto given = headers.get("X-Request-Id");
    if (given.empty() || given.size() > kMaxRequestIdBytes || !is_token(given)) return random_id();
    return std::string(given);
}

// "/path?query"; the absolute form "http://host/path" is reduced to it (RFC 9112 3.2.2).
std::string_view origin_form(std::string_view target) {
    if (!target.starts_with("http://") && !target.starts_with("https://")) return target;
    const auto slash = target.find('/', target.find("://") + 3);
    return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
}

}  // namespace

Session::Session(Core& core, Wire wire, Peer peer)
    : core_(core),
      wire_(std::move(wire)),
      peer_(std::move(peer)),
      descriptor_(core.io, wire_.socket().get()),
      timer_(core.io),
      worker_event_(core.io) {}

Session::~Session() {
    // Asio only watches; the descriptor is the wire's.
    if (descriptor_.is_open()) (void)descriptor_.release();
}

Task<> Session::ready(sys::Ready what, Deadline deadline) {
    if (closing_) co_return fail(Errc::cancelled, "the server stops");
    const auto generation = ++generation_;
    expired_ = false;
    timer_.expires_at(deadline);
    timer_.async_wait(
            [self = shared_from_this(), generation](const boost::system::error_code& error) {
                if (error || self->generation_ != generation) return;
                self->expired_ = true;
                self->descriptor_.cancel();
            });
    const auto type = what == sys::Ready::read ? asio::posix::stream_descriptor::wait_read
                                               : asio::posix::stream_descriptor::wait_write;
    auto outcome = co_await descriptor_.async_wait(type, kUseResult);
    ++generation_;
    timer_.cancel();
    if (expired_) co_return fail(Errc::timeout, "no progress in time");
    if (closing_) co_return fail(Errc::cancelled, "the server stops");
    const auto& error = std::get<0>(outcome);
    if (error) co_return fail(Errc::unavailable, "wait for the connection: {}", error.message());
    co_return ok;
}

Task<> Session::handshake() {
    const auto deadline = deadline_in(core_.config.limits.header_timeout);
    for (;;) {
        auto step = wire_.try_handshake();
        if (!step) co_return std::move(step).error();
        if (step->kind == Wire::Step::Kind::done) break;
        const auto what =
                step->kind == Wire::Step::Kind::want_read ? sys::Ready::read : sys::Ready::write;
        CO_TRY_VOID(co_await ready(what, deadline));
    }
    peer_.certificate = peer_certificate(wire_.tls());
    co_return ok;
}

Task<std::size_t> Session::read_more(Deadline deadline) {
    std::array<char, 16 * 1024> piece;
    for (;;) {
        auto step = wire_.try_read(piece);
        if (!step) co_return std::move(step).error();
        if (step->kind == Wire::Step::Kind::done) {
            parser_->append(std::string_view(piece.data(), step->bytes));
            co_return step->bytes;
        }
        const auto what =
                step->kind == Wire::Step::Kind::want_read ? sys::Ready::read : sys::Ready::write;
        CO_TRY_VOID(co_await ready(what, deadline));
    }
}

Task<> Session::write(std::string data) {
    std::string_view left = data;
    while (!left.empty()) {
        auto step = wire_.try_write(left);
        if (!step) co_return std::move(step).error();
        if (step->kind == Wire::Step::Kind::done) {
            left.remove_prefix(step->bytes);
            continue;
        }
        const auto what =
                step->kind == Wire::Step::Kind::want_read ? sys::Ready::read : sys::Ready::write;
        const auto deadline = deadline_in(core_.config.limits.write_timeout);
        CO_TRY_VOID(co_await ready(what, deadline));
    }
    co_return ok;
}

Task<bool> Session::read_header() {
    idle_ = true;
    auto deadline = deadline_in(core_.config.limits.idle_timeout);
    for (;;) {
        // A byte is there: from now on the header has to come in time (slow loris).
        if (idle_ && parser_->buffered()) {
            idle_ = false;
            deadline = deadline_in(core_.config.limits.header_timeout);
        }
        CO_TRY(const bool done, parser_->parse_header());
        if (done) break;
        auto count = co_await read_more(deadline);
        if (!count || *count == 0) co_return false;
    }
    idle_ = false;
    co_return true;
}

Task<> Session::read_small_body() {
    small_body_.clear();
    if (!parser_->content_length || *parser_->content_length > kSmallBody) co_return ok;
    if (continue_wanted_) {
        continue_wanted_ = false;
        std::string line = "HTTP/1.1 100 Continue\r\n\r\n";
        CO_TRY_VOID(co_await write(std::move(line)));
    }
    std::array<char, 4096> piece;
    while (!parser_->complete()) {
        CO_TRY(const auto count, parser_->parse_body(piece));
        small_body_.append(piece.data(), count);
        if (count > 0 || parser_->complete()) continue;
        const auto deadline = deadline_in(core_.config.limits.body_timeout);
        CO_TRY(const auto got, co_await read_more(deadline));
        if (got == 0) co_return fail(Errc::unavailable, "the body was cut short");
    }
    co_return ok;
}

Result<std::shared_ptr<Request>> Session::make_request() {
    if (parser_->version != 10 && parser_->version != 11)
        return fail(
                Errc::unsupported, "HTTP version {}.{}", parser_->version / 10,
                parser_->version % 10);
    if (parser_->headers.has("Transfer-Encoding") && !parser_->chunked)
        return fail(
                Errc::unsupported, "transfer encoding '{}'",
                parser_->headers.get("Transfer-Encoding"));
    auto request = std::make_shared<Request>();
    request->method = parser_->method;
    request->target = parser_->target;
    const auto form = origin_form(parser_->target);
    if (!form.starts_with('/'))
        return fail(Errc::invalid, "request target '{}'", form.substr(0, 64));
    const auto mark = std::min(form.find('?'), form.size());
    request->path = form.substr(0, mark);
    if (mark < form.size()) request->query = TRY(Query::parse(form.substr(mark + 1)));
    request->headers = parser_->headers;
    const auto trace = parser_->headers.get(kTraceHeader);
    if (trace::is_valid(trace)) request->trace = trace;
    request->id = request->trace.empty() ? request_id(parser_->headers) : request->trace;
    request->peer = peer_;
    request->content_length = parser_->content_length;
    if (!parser_->has_body) request->content_length = 0;
    return request;
}

Task<> Session::refuse(Response response) {
    if (!response.silent_close) response.headers.set("Connection", "close");
    response.headers.set("Content-Length", std::to_string(response.body.size()));
    auto head = response_head(response, random_id());
    if (!head) co_return std::move(head).error();
    auto text = std::move(head).value() + response.body;
    outcome_ = Outcome::linger;
    CO_TRY_VOID(co_await write(std::move(text)));
    co_return ok;
}

Task<> Session::hand_over(std::shared_ptr<Request> request) {
    request->body = std::make_shared<ConnectionBody>(
            shared_from_this(), std::move(small_body_), parser_->complete() || !parser_->has_body);
    auto exchange = std::make_shared<Exchange>(shared_from_this(), request);
    worker_busy_ = true;
    rest_.clear();
    auto submitted = core_.workers.submit([exchange] { exchange->run(); });
    if (!submitted) {
        worker_busy_ = false;
        static_cast<ConnectionBody&>(*request->body).detach();
        auto busy = core_.config.busy ? core_.config.busy(submitted.error())
                                      : Response::text(503, submitted.error().text + "\n");
        CO_TRY_VOID(co_await refuse(std::move(busy)));
        co_return ok;
    }
    exchange.reset();
    while (worker_busy_) {
        worker_event_.expires_at(Deadline::max());
        auto woken = co_await worker_event_.async_wait(kUseResult);
        (void)woken;  // cancelled by worker_done
    }
    if (outcome_ == Outcome::hijacked || rest_.empty()) co_return ok;
    auto written = co_await write(std::move(rest_));
    if (!written) outcome_ = Outcome::close;
    co_return ok;
}

void Session::worker_done(Outcome outcome, std::string rest) {
    asio::post(core_.io, [self = shared_from_this(), outcome, rest = std::move(rest)]() mutable {
        self->outcome_ = outcome;
        self->rest_ = std::move(rest);
        self->worker_busy_ = false;
        self->worker_event_.cancel();
    });
}

Task<bool> Session::serve_one() {
    outcome_ = Outcome::close;
    auto header = co_await read_header();
    if (!header) {
        auto answer = Response::text(
                header.error().kind == Errc::exhausted ? 431 : 400, header.error().text + "\n");
        CO_TRY_VOID(co_await refuse(std::move(answer)));
        co_return false;
    }
    if (!*header) co_return false;
    continue_wanted_ = parser_->has_body && parser_->headers.has_token("Expect", "100-continue");
    auto request = make_request();
    if (request && parser_->target.size() > kMaxTargetBytes)
        request =
                fail(Errc::invalid, "request target: {} bytes, limit {}", parser_->target.size(),
                     kMaxTargetBytes);
    if (!request) {
        const bool unknown = request.error().kind == Errc::unsupported;
        auto answer = Response::text(unknown ? 501 : 400, request.error().text + "\n");
        CO_TRY_VOID(co_await refuse(std::move(answer)));
        co_return false;
    }
    auto small = co_await read_small_body();
    if (!small) {
        // Bytes that are not a body deserve a word, a client that left does not.
        if (small.error().kind != Errc::corrupt) co_return false;
        auto answer = Response::text(400, small.error().text + "\n");
        CO_TRY_VOID(co_await refuse(std::move(answer)));
        co_return false;
    }
    auto given = std::move(request).value();
    CO_TRY_VOID(co_await hand_over(std::move(given)));
    co_return outcome_ == Outcome::keep;
}

// garden-api 8.1: closing while the client still sends would reset the connection and lose our
// answer.
Task<> Session::linger() {
    wire_.close_write();
    const auto deadline = deadline_in(core_.config.limits.linger_time);
    std::array<char, 16 * 1024> piece;
    for (std::size_t seen = 0; seen < core_.config.limits.linger_bytes;) {
        auto step = wire_.try_read(piece);
        if (!step) co_return std::move(step).error();
        if (step->kind == Wire::Step::Kind::done) {
            if (step->bytes == 0) co_return ok;
            seen += step->bytes;
            continue;
        }
        CO_TRY_VOID(co_await ready(sys::Ready::read, deadline));
    }
    co_return ok;
}

asio::awaitable<void> Session::run(std::shared_ptr<Session> self) {
    if (self->wire_.secure()) {
        auto greeted = co_await self->handshake();
        if (!greeted) co_return;
    }
    std::string leftover;
    for (;;) {
        self->parser_.emplace(Parser::Kind::request, self->core_.config.limits.header_bytes);
        self->parser_->append(leftover);
        auto more = co_await self->serve_one();
        if (!more || !*more || self->core_.draining) break;
        leftover = self->parser_->take_leftover();
    }
    if (self->outcome_ == Outcome::hijacked) co_return;
    if (self->outcome_ == Outcome::linger) {
        auto drained = co_await self->linger();
        (void)drained;  // whatever happened, the connection ends here
        co_return;
    }
    self->wire_.close_write();
}

void Session::stop_if_idle() {
    if (!idle_) return;
    closing_ = true;
    const std::lock_guard lock(release_mutex_);
    if (!released_) descriptor_.cancel();
}

void Session::cut() {
    closing_ = true;
    const std::lock_guard lock(release_mutex_);
    if (released_) return;
    sys::shut_down(wire_.socket(), SHUT_RDWR);
    descriptor_.cancel();
}

}  // namespace base::http
