// HTTP/1.1 client: blocking calls with deadlines over unix socket, TCP and TLS. Used by the typed
// clients of the house.
#pragma once

#include "base/fd.hpp"
#include "base/http/endpoint.hpp"
#include "base/http/message.hpp"
#include "base/http/request.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace base::http {

inline constexpr std::chrono::milliseconds kNoDeadline{0};

struct ClientConfig {
    Endpoint endpoint;
    std::chrono::milliseconds connect_timeout{2'000};
    std::size_t idle_connections = 4;  // kept for the next call; 0 = one connection per call
    Headers headers;                   // sent with every request
    bool hand_on_trace = false;        // to a server of ours: the trace id of the calling thread
};

struct ClientRequest {
    std::string method = "GET";
    std::string target = "/";  // path and query, escaped
    Headers headers;
    std::string body;  // Content-Length; sent when not empty or when the method is POST or PUT
    // When set: chunked, until it returns 0 bytes. An error breaks the request off without the last
    // chunk.
    std::function<Result<std::size_t>(std::span<char>)> upload;
    // With `upload`: exactly this many bytes under Content-Length instead of chunks; fewer or more
    // from `upload` break the request off.
    std::optional<std::uint64_t> upload_size;
    std::chrono::milliseconds timeout{
            30'000};  // whole call (open(): until the header is there); kNoDeadline = never
    // Breaks connecting, sending and reading off with Errc::cancelled, also of the stream that
    // open() returned. Only the look-up of a host name is waited for.
    std::stop_token stop;
};

struct ClientResponse {
    int status = 0;
    Headers headers;
    std::string body;

    bool good() const { return status >= 200 && status <= 299; }
};

// An answer whose body is read piece by piece. Closing it early closes the connection.
class ClientStream {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
  public:
    ClientStream(ClientStream&&) noexcept;
    ClientStream& operator=(ClientStream&&) noexcept;
    ~ClientStream();

    int status() const;

    bool good() const { return status() >= 200 && status() <= 299; }

    const Headers& headers() const;

    // At least one byte, or 0 at the clean end; a cut body is Errc::unavailable. `timeout` for this
    // read.
    Result<std::size_t> read_some(
            std::span<char> into, std::chrono::milliseconds timeout = kNoDeadline);
    Result<std::string> read_all(
            std::size_t limit = kMaxJsonBody, std::chrono::milliseconds timeout = kNoDeadline);
    // The socket behind the header, blocking mode, body framing ignored (garden-api 7.1). For TLS
    // Errc::unsupported.
    Result<Hijacked> hijack() &&;
    // Makes a blocked read_some of another thread return Errc::cancelled.
    void cancel();

    struct Impl;  // client_connection.hpp

  private:
    friend class Client;
    explicit ClientStream(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

struct Event {
    std::string name;  // "message" when the server names none
    std::string data;
    std::string id;
};

// Server-sent events of a ClientStream.
class EventReader {
  public:
    explicit EventReader(ClientStream stream) : stream_(std::move(stream)) {}

    // The next event; nothing at the clean end of the stream. Errc::timeout leaves the stream
    // usable.
    Result<std::optional<Event>> next(std::chrono::milliseconds timeout = kNoDeadline);

    ClientStream& stream() { return stream_; }

  private:
    ClientStream stream_;
    std::string buffer_;
    bool ended_ = false;
};

// Safe from any thread; calls run in parallel, each on its own connection.
class Client {  // NOLINT(cppcoreguidelines-special-member-functions): only moves
  public:
    explicit Client(ClientConfig config);
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    // Any status is a value; errors are about not getting an answer: unavailable (cannot connect,
    // broken off), timeout, denied (certificate), corrupt (not HTTP), exhausted (body over
    // `body_limit`).
    Result<ClientResponse> call(ClientRequest request, std::size_t body_limit = kMaxJsonBody);
    // Returns when the header of the answer is there.
    Result<ClientStream> open(ClientRequest request);

    const Endpoint& endpoint() const;
    struct Impl;  // client_connection.hpp

  private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace base::http
