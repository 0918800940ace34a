// What the parts of the server share: the I/O loop, the workers, the sessions. Everything but
// `workers` belongs to the I/O thread unless said otherwise. Private to base/http; includes Asio.
#pragma once

#include "base/http/server.hpp"
#include "base/http/sockets.hpp"
#include "base/worker_pool.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace base::http {

namespace asio = boost::asio;

template <class T = void>
using Task = asio::awaitable<Result<T>>;

// Errors as values (conventions §5); a name, because a co_await operand has no braces.
inline constexpr auto kUseResult = asio::as_tuple(asio::use_awaitable);

class Session;

struct Core {
    explicit Core(ServerConfig given, Handler what)
        : config(std::move(given)),
          handler(std::move(what)),
          workers(
                  {.name = "http",
                   .threads = config.limits.workers,
                   .queue = config.limits.queued_requests}) {
        // Set once: a second waiter that set it again would wake the first.
        changed.expires_at(asio::steady_timer::time_point::max());
    }

    ServerConfig config;
    Handler handler;
    asio::io_context io{1};
    WorkerPool workers;
    std::unordered_set<std::shared_ptr<Session>> sessions;
    asio::steady_timer changed{io};  // cancelled when a session ends or the server resumes
    bool paused = false;
    std::atomic<bool> draining = false;  // any thread
    std::atomic<std::size_t> open = 0;   // sessions; any thread
    std::size_t acceptors = 0;

    std::mutex stop_mutex;  // for who waits in stop()
    std::condition_variable stopped_some;

    // TLS connections that were hijacked: any thread, under `pump_mutex`.
    struct Pump {
        Wire wire;
        Fd plain;
        std::thread thread;
        std::atomic<bool> over = false;
    };

    std::mutex pump_mutex;
    std::vector<std::unique_ptr<Pump>> pumps;

    // The other end of the pair, now pumped by a thread of its own.
    Result<Fd> start_pump(Wire wire);
    void session_over(const std::shared_ptr<Session>& session);
};

}  // namespace base::http
