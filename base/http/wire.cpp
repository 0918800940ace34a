#include "base/http/wire.hpp"

#include "base/fail.hpp"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>

#include <openssl/err.h>

namespace base::http {

namespace {

int clamp_size(std::size_t size) {
    return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
}

}  // namespace

Result<Wire::Step> Wire::tls_step(int result, std::string_view action) {
    if (result > 0)
        return Step{.kind = Step::Kind::done, .bytes = static_cast<std::size_t>(result)};
    const int saved = errno;
    switch (SSL_get_error(tls_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return Step{.kind = Step::Kind::want_read, .bytes = 0};
        case SSL_ERROR_WANT_WRITE:
            return Step{.kind = Step::Kind::want_write, .bytes = 0};
        case SSL_ERROR_ZERO_RETURN:
            return Step{};
        case SSL_ERROR_SYSCALL:
            errno = saved != 0 ? saved : ECONNRESET;
            return fail_errno("TLS {}", action);
        default:
            break;
    }
    if (const long verdict = SSL_get_verify_result(tls_.get());
        verdict != X509_V_OK && SSL_get_verify_mode(tls_.get()) != SSL_VERIFY_NONE) {
        ERR_clear_error();
        return fail(
                Errc::denied, "TLS {}: certificate of the peer: {}", action,
                X509_verify_cert_error_string(verdict));
    }
    const bool alert = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    return fail(alert ? Errc::unavailable : Errc::denied, "TLS {}: {}", action, tls_reason());
}

Result<Wire::Step> Wire::try_handshake() {
    ERR_clear_error();
    errno = 0;
    auto step = TRY(tls_step(SSL_do_handshake(tls_.get()), "handshake"));
    if (step.kind == Step::Kind::done && step.bytes == 0)
        return fail(Errc::unavailable, "TLS handshake: the peer closed the connection");
    return step;
}

Result<Wire::Step> Wire::try_read(std::span<char> into) {
    if (tls_) {
        ERR_clear_error();
        errno = 0;
        return tls_step(SSL_read(tls_.get(), into.data(), clamp_size(into.size())), "read");
    }
    const auto count = ::recv(socket_.get(), into.data(), into.size(), 0);
    if (count >= 0) return Step{.kind = Step::Kind::done, .bytes = static_cast<std::size_t>(count)};
    if (errno == EAGAIN || errno == EINTR) return Step{.kind = Step::Kind::want_read, .bytes = 0};
    return fail_errno("read from the connection");
}

Result<Wire::Step> Wire::try_write(std::string_view data) {
    if (tls_) {
        ERR_clear_error();
        errno = 0;
        return tls_step(SSL_write(tls_.get(), data.data(), clamp_size(data.size())), "write");
    }
    const auto count = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (count >= 0) return Step{.kind = Step::Kind::done, .bytes = static_cast<std::size_t>(count)};
    if (errno == EAGAIN || errno == EINTR) return Step{.kind = Step::Kind::want_write, .bytes = 0};
    return fail_errno("write to the connection");
}

void Wire::close_write() {
    if (!socket_) return;
    if (tls_) {
        ERR_clear_error();
        (void)SSL_shutdown(tls_.get());  // one try: who does not read its goodbye does not get it
        ERR_clear_error();
    }
    sys::shut_down(socket_, SHUT_WR);
}

Result<void> Wire::wait(Step::Kind kind, Deadline deadline, std::string_view action) {
    const auto what = kind == Step::Kind::want_read ? sys::Ready::read : sys::Ready::write;
    if (!TRY(sys::wait_ready(socket_, what, deadline)))
        return fail(Errc::timeout, "{}: no progress in time", action);
    return ok;
}

Result<void> Wire::handshake(Deadline deadline) {
    for (;;) {
        const auto step = TRY(try_handshake());
        if (step.kind == Step::Kind::done) return ok;
        TRY(wait(step.kind, deadline, "TLS handshake"));
    }
}

Result<std::size_t> Wire::read_some(std::span<char> into, Deadline deadline) {
    for (;;) {
        const auto step = TRY(try_read(into));
        if (step.kind == Step::Kind::done) return step.bytes;
        TRY(wait(step.kind, deadline, "read from the connection"));
    }
}

Result<void> Wire::write_all(std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        const auto step = TRY(try_write(data));
        if (step.kind == Step::Kind::done) {
            data.remove_prefix(step.bytes);
            continue;
        }
        TRY(wait(step.kind, deadline, "write to the connection"));
    }
    return ok;
}

}  // namespace base::http
