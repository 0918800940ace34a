// Wire: one connected socket, plain or TLS, non-blocking underneath; steps for the I/O thread,
// blocking calls with a deadline for workers and clients. One user at a time. Private to base/http.
#pragma once

#include "base/fd.hpp"
#include "base/http/tls.hpp"
#include "base/result.hpp"
#include "base/sys/stream_socket.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace base::http {

using Deadline = sys::SteadyTime;

inline Deadline deadline_in(std::chrono::milliseconds time) {
    return std::chrono::steady_clock::now() + time;
}

class Wire {
  public:
    // What a try_ call came to: done with `bytes` (0 after a read: the end), or call again when
    // ready.
    struct Step {
        enum class Kind : std::uint8_t { done, want_read, want_write };
        Kind kind = Kind::done;
        std::size_t bytes = 0;
    };

    Wire() = default;

    explicit Wire(Fd socket) : socket_(std::move(socket)) {}

    void start_tls(TlsSession session) { tls_ = std::move(session); }

    FdRef socket() const { return socket_; }

    bool secure() const { return tls_ != nullptr; }

    SSL* tls() const { return tls_.get(); }

    Fd release() { return Fd(socket_.release()); }  // plain only

    Result<Step> try_handshake();
    Result<Step> try_read(std::span<char> into);
    Result<Step> try_write(std::string_view data);
    // Says goodbye (TLS close_notify) and half-closes, as far as that works at once.
    void close_write();

    Result<void> handshake(Deadline deadline);
    Result<std::size_t> read_some(std::span<char> into, Deadline deadline);  // 0 = end
    Result<void> write_all(std::string_view data, Deadline deadline);

    bool pending() const {
        return tls_ && SSL_pending(tls_.get()) > 0;
    }  // decrypted and not read yet

  private:
    Result<Step> tls_step(int result, std::string_view action);
    Result<void> wait(Step::Kind kind, Deadline deadline, std::string_view action);

    Fd socket_;  // before tls_, which writes to it until it is gone
    TlsSession tls_;
};

}  // namespace base::http
