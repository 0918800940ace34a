// HTTP/1.1 server: an I/O thread for connections, a bounded pool of workers for blocking handlers.
// Used by every daemon.
//
//   I/O thread:  accept, TLS, header, small body --+   +--> what is left, next request or close
//                                                  v   |
//   worker:               handler, then the response --+    (or hijack: the socket is forgotten)
#pragma once

#include "base/http/endpoint.hpp"
#include "base/http/request.hpp"
#include "base/result.hpp"
#include "base/worker_pool.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace base::http {

struct ServerLimits {
    std::size_t workers = 32;            // threads at most; made when needed
    std::size_t queued_requests = 1024;  // behind busy workers; one more is answered 503
    std::size_t connections = 4096;      // open at once; one more waits in the listen backlog
    std::size_t header_bytes = kMaxHeaderBytes;
    std::chrono::milliseconds header_timeout{
            30'000};  // from the first byte to the blank line; closed without an answer
    std::chrono::milliseconds idle_timeout{120'000};  // between requests of a kept connection
    std::chrono::milliseconds body_timeout{60'000};   // for each read of a body
    std::chrono::milliseconds write_timeout{60'000};  // for each write of an answer
    std::chrono::milliseconds linger_time{
            1'000};  // draining after an early answer (garden-api 8.1)
    std::size_t linger_bytes = 64 * 1024 * 1024;
};

// One finished request, for the log of the daemon (this library does not log).
struct Served {
    std::string id, method, path, route, peer;
    int status = 0;  // 0: broken off before an answer
    std::chrono::microseconds duration{0};
};

struct ServerConfig {
    std::vector<Endpoint> endpoints;
    std::vector<int> inherited;  // besides: sockets that listen already, by number; taken over
    ServerLimits limits;
    std::function<void(const Served&)> on_served;  // any thread, must be quick
    // The answer when all workers are busy and the queue is full, in the words of the API that is
    // served; must be quick (I/O thread). Without it: 503 with one line of text.
    std::function<Response(const Error&)> busy;
};

class Server {
  public:
    // Listens on every endpoint before it returns; a stale unix socket file is removed, a live one
    // is Errc::conflict. With `paused` connections wait in the backlog until resume() (bind before
    // restoring state, garden-api §1).
    static Result<std::unique_ptr<Server>> start(
            ServerConfig config, Handler handler, bool paused = false);
    ~Server();  // stop() with no time
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void resume();
    // As bound: with the real port where 0 was asked for.
    const std::vector<Endpoint>& endpoints() const;
    std::size_t connections() const;
    WorkerPool::Figures workers() const;

    // Drain: stop accepting, close idle connections, let running requests finish until the
    // deadline, then cut the rest off. True when nothing had to be cut. Handlers that are still
    // running are waited for in any case. Idempotent.
    bool stop(std::chrono::milliseconds grace);

  private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace base::http
