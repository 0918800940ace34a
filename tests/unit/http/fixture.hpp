// A server on a unix socket in a directory of its own, and a raw client that sees every byte. Used
// by the HTTP tests.
#pragma once

#include "base/http/client.hpp"
#include "base/http/router.hpp"
#include "base/http/server.hpp"
#include "base/sys/stream_socket.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace test {

class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    std::string path;
};

class HttpServer {
  public:
    explicit HttpServer(
            base::http::Handler handler, base::http::ServerLimits limits = {}, bool paused = false);
    base::http::Client client(std::size_t idle_connections = 4) const;

    base::http::Server& server() { return *server_; }

    base::http::Endpoint endpoint() const { return server_->endpoints().front(); }

  private:
    TemporaryDirectory directory_;
    std::unique_ptr<base::http::Server> server_;
};

// Sends and receives bytes as they are.
class RawConnection {
  public:
    explicit RawConnection(const base::http::Endpoint& endpoint);
    void send(std::string_view bytes);
    void close_write();
    // Everything up to the end of the stream, or the time.
    std::string read_to_end(std::chrono::milliseconds time = std::chrono::seconds(5));
    // Until `text` was seen; returns all that came.
    std::string read_until(
            std::string_view text, std::chrono::milliseconds time = std::chrono::seconds(5));

    bool ended() const { return ended_; }

  private:
    base::Fd socket_;
    bool ended_ = false;
};

std::string body_of(std::string_view answer);

}  // namespace test
