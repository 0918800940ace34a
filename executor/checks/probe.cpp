// One attempt of a check: a non-blocking connection on the loop, one timer, no process, no thread.
//
//   start ─► connect ─► writable ─► (TCP: healthy) ─► request ─► status line ─► answer
//                └───────── timer: timed out ───────────┘
#include "base/error.hpp"
#include "base/sys/stream_socket.hpp"
#include "executor/checks/answer.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include <fmt/format.h>

namespace executor {

namespace {

std::optional<base::sys::Address> parse_address(const std::string& text, std::uint16_t port) {
    base::sys::Address address;
    void* raw = &address.storage;
    auto* v4 = static_cast<::sockaddr_in*>(raw);
    if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.size = sizeof *v4;
        return address;
    }
    auto* v6 = static_cast<::sockaddr_in6*>(raw);
    if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) != 1) return std::nullopt;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
    return address;
}

class Connection final : public Probe {
  public:
    Connection(Loop& loop, std::function<void(ProbeAnswer)> done)
        : loop_(loop), done_(std::move(done)), begun_(loop.clock().monotonic()) {}

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    ~Connection() override { close(); }

    void start(const std::string& address, const api::Check& check);

  private:
    void connect(const base::sys::Address& address);
    void on_ready();
    void on_connected();
    void send_request();
    void read_answer();
    void answer(ProbeAnswer answer);
    void answer_later(ProbeAnswer answer);

    void fail(std::string_view reason) { answer(probe_failed(target_, reason)); }

    void close() {
        loop_.unwatch(std::exchange(watch_, 0));
        loop_.cancel(std::exchange(timer_, 0));
        socket_.reset();
    }

    Loop& loop_;
    std::function<void(ProbeAnswer)> done_;
    const std::chrono::steady_clock::time_point begun_;
    ProbeTarget target_;
    std::string request_;  // what is left to send
    std::string read_;     // kMaxProbeAnswer at most
    base::Fd socket_;
    bool connected_ = false;
    Loop::WatchId watch_ = 0;
    Loop::TimerId timer_ = 0;
};

void Connection::start(const std::string& address, const api::Check& check) {
    const auto target = probe_target(check);
    if (!target)
        return answer_later(
                {.result = ProbeResult::error, .text = "a check without tcp_check and http_check"});
    target_ = *target;
    const auto where = parse_address(address, target_.port);
    if (!where)
        return answer_later(
                {.result = ProbeResult::error,
                 .text = fmt::format("'{}' is not an address", address)});
    if (target_.http) request_ = probe_request(target_, where->text());
    connect(*where);
}

void Connection::connect(const base::sys::Address& address) {
    socket_ = base::Fd(
            ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_)
        return answer_later(
                {.result = ProbeResult::error,
                 .text = "create a socket: " + base::errno_text(errno)});
    if (::connect(socket_.get(), address.get(), address.size) != 0 && errno != EINPROGRESS)
        return answer_later(probe_failed(target_, base::errno_text(errno)));
    auto watch = loop_.watch(socket_, false, true, [this](Loop::Ready) { on_ready(); });
    if (!watch) return answer_later({.result = ProbeResult::error, .text = watch.error().text});
    watch_ = *watch;
    timer_ = loop_.after(target_.timeout, [this] {
        timer_ = 0;
        answer(probe_timed_out(target_));
    });
}

void Connection::on_ready() {
    if (!connected_) return on_connected();
    if (!request_.empty()) return send_request();
    read_answer();
}

void Connection::on_connected() {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return fail(base::errno_text(error));
    connected_ = true;
    if (!target_.http) return answer({});
    send_request();
}

void Connection::send_request() {
    const auto sent = base::sys::send_now(socket_, request_);
    if (!sent) return fail(base::errno_text(sent.error().sys));
    if (!*sent) return;
    request_.erase(0, **sent);
    if (request_.empty()) loop_.change(watch_, true, false);
}

void Connection::read_answer() {
    std::array<char, kMaxProbeAnswer> piece;  // NOLINT: filled by the read
    const auto room = kMaxProbeAnswer - read_.size();
    const auto got = base::sys::receive_now(socket_, std::span(piece).first(room));
    if (!got) return fail(base::errno_text(got.error().sys));
    if (!*got) return;
    read_.append(piece.data(), **got);
    const auto status = probe_status(read_);
    if (!status) return fail(status.error().text);
    if (*status)
        return answer(probe_answered(target_, **status, loop_.clock().monotonic() - begun_));
    if (**got == 0) fail("the connection was closed without an answer");
}

// `done` may destroy this, so nothing of it is touched after the call.
void Connection::answer(ProbeAnswer answer) {
    close();
    const auto done = std::exchange(done_, nullptr);
    if (done) done(std::move(answer));
}

// probe() has not returned yet: nobody is called from inside it.
void Connection::answer_later(ProbeAnswer answer) {
    close();
    timer_ = loop_.after(std::chrono::nanoseconds(0), [this, answer = std::move(answer)]() mutable {
        timer_ = 0;
        // Moved out first: this job is freed together with the probe.
        auto mine = std::move(answer);
        this->answer(std::move(mine));
    });
}

}  // namespace

std::unique_ptr<Probe> probe(
        Loop& loop,
        const std::string& address,
        const api::Check& check,
        std::function<void(ProbeAnswer)> done) {
    auto made = std::make_unique<Connection>(loop, std::move(done));
    made->start(address, check);
    return made;
}

}  // namespace executor
