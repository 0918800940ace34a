// Request and Response of the server side as values: what a handler gets and what it returns. Used
// by every handler. Handlers are plain blocking functions on a worker thread; a test calls them
// without a socket (MemoryBody).
#pragma once

#include "base/fd.hpp"
#include "base/http/message.hpp"
#include "base/result.hpp"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace base::http {

struct PeerProcess {  // unix sockets: SO_PEERCRED
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;
};

struct PeerCertificate {  // TLS: verified against the configured CA
    std::string common_name;
    std::vector<std::string> organizational_units;
    std::vector<std::string> dns_names;
    std::vector<std::string> ip_addresses;
    std::string sha256;  // of the DER form, lower case hex
};

struct Peer {
    std::string address;  // "unix", "192.0.2.1:4711"
    std::optional<PeerProcess> process;
    std::optional<PeerCertificate> certificate;
};

// Where body bytes come from: a connection, or memory in tests.
class BodySource {
  public:
    virtual ~BodySource() = default;
    // At least one byte, or 0 at the clean end. A body cut short is Errc::unavailable.
    virtual Result<std::size_t> read_some(std::span<char> into) = 0;
    virtual bool complete() const = 0;   // the clean end was seen
    virtual bool peer_gone() const = 0;  // the client closed its side or vanished

    // Makes a read_some that waits in another thread return Errc::cancelled.
    virtual void interrupt() {}
};

class MemoryBody final : public BodySource {
  public:
    explicit MemoryBody(std::string data) : data_(std::move(data)) {}

    Result<std::size_t> read_some(std::span<char> into) override;

    bool complete() const override { return at_ == data_.size(); }

    bool peer_gone() const override { return false; }

  private:
    std::string data_;
    std::size_t at_ = 0;
};

// The request body as a pipe, filled by a thread of its own until the body or the reader ends.
class BodyPipe {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
  public:
    BodyPipe(BodyPipe&&) noexcept;
    BodyPipe& operator=(BodyPipe&&) = delete;
    ~BodyPipe();  // finish(), result ignored

    FdRef read_end() const;
    // Closes our copy of the read end, waits for the thread. An error when the client broke off
    // (then the bytes seen are not the whole body) — so check it even after the consumer succeeded.
    // A consumer that stopped early is no error.
    Result<void> finish();

  private:
    friend struct Request;
    struct State;
    explicit BodyPipe(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

struct Request {
    std::string method;
    std::string target;  // as sent
    std::string path;    // escaped, without query
    Query query;
    Headers headers;
    std::vector<std::pair<std::string, std::string>>
            params;     // of the route's pattern, percent-decoded
    std::string route;  // the pattern that matched (for metrics)
    std::string id;     // of the trace, else X-Request-Id, or one we made
    std::string trace;  // X-Vcap-Request-Id when it is harmless, else ""
    Peer peer;
    std::optional<std::uint64_t> content_length;
    std::shared_ptr<BodySource> body;  // never null; null-length for requests without one

    std::string_view param(std::string_view name) const;  // "" when the pattern has none

    // The whole body; a longer one is Errc::exhausted (answered 413 by to_response).
    Result<std::string> read_body(std::size_t limit = kMaxJsonBody);

    Result<std::size_t> read_some(std::span<char> into) { return body->read_some(into); }

    Result<BodyPipe> body_pipe();

    bool client_gone() const { return body->peer_gone(); }
};

// What a streaming handler writes to. Every call blocks until the bytes are with the kernel, at
// most the write timeout.
class Writer {
  public:
    virtual ~Writer() = default;
    virtual Result<void> write(std::string_view data) = 0;
    virtual bool peer_gone() const = 0;
};

// Server-sent events over a Writer.
class EventWriter {
  public:
    explicit EventWriter(Writer& writer) : writer_(writer) {}

    // `data` may have several lines. An id or name with a line break is refused.
    Result<void> send(std::string_view event, std::string_view data, std::string_view id = {});
    Result<void> comment(std::string_view text);  // keep-alive

    bool peer_gone() const { return writer_.peer_gone(); }

  private:
    Writer& writer_;
};

// A connection that is no longer the server's: blocking mode, close-on-exec. For TLS one end of a
// socket pair whose other end the server pumps.
struct Hijacked {
    Fd socket;
    std::string leftover;  // bytes the client sent behind the request
};

struct Response {
    int status = 200;
    Headers headers;
    std::string body;
    // When set, `body` is not used: chunked, until the function returns. An error breaks the
    // connection off, so that the client sees a cut body (garden-api 8.2). Runs on the worker
    // thread, may block.
    std::function<Result<void>(Writer&)> stream;
    // When set: status line and `headers` exactly as they are (plus Date and X-Request-Id), no
    // body, flushed; then this gets the socket, on the worker thread, and the server forgets the
    // connection (garden-api 7.1).
    std::function<void(Hijacked)> takeover;

    // Closes, if it has to, without the word "Connection: close": a Go client that wants to hijack
    // throws such an answer away (garden-api 7.1).
    bool silent_close = false;

    static Response text(
            int status, std::string body, std::string type = "text/plain; charset=utf-8");
    static Response json(std::string body, int status = 200);
    // Reads `source` (pipe, file) to its end; then `finish`, whose error breaks off. `source` is
    // closed on early client close; `finish` is called once, even for a client that is gone before
    // the answer.
    static Response from_fd(Fd source, std::string type, std::function<Result<void>()> finish = {});
    static Response events(std::function<Result<void>(EventWriter&)> run);
    static Response hijack(
            int status,
            std::function<void(Hijacked)> takeover,
            std::string type = "application/json");
    // {"error":{"kind","message"}} with the status of the kind; components with their own envelope
    // have their own.
    static Response error(const Error& error);
};

using Handler = std::function<Response(Request&)>;

}  // namespace base::http
