// One connection of the server: a coroutine on the I/O thread that reads requests and hands them to
// a worker. While a worker has the request, the connection is the worker's alone. Private to
// base/http; includes Asio.
#pragma once

#include "base/http/core.hpp"
#include "base/http/parser.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace base::http {

class Session : public std::enable_shared_from_this<Session> {
  public:
    Session(Core& core, Wire wire, Peer peer);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // The life of the connection; `self` keeps the session until the coroutine has ended.
    static asio::awaitable<void> run(std::shared_ptr<Session> self);
    void stop_if_idle();  // I/O thread
    void cut();           // I/O thread: whatever is going on ends with an error

    // What a worker leaves behind for the coroutine.
    enum class Outcome : std::uint8_t { keep, close, linger, hijacked };

  private:
    friend class Exchange;
    friend class ConnectionBody;

    Task<> ready(sys::Ready what, Deadline deadline);
    Task<> handshake();
    Task<std::size_t> read_more(Deadline deadline);  // appends to the parser; 0 = end
    Task<> write(std::string data);
    Task<bool> read_header();  // false: close without an answer
    Task<> read_small_body();
    Task<bool> serve_one();  // false: the connection ends
    Task<> hand_over(std::shared_ptr<Request> request);
    Task<> refuse(Response response);  // answers from the I/O thread, then closes
    Task<> linger();
    Result<std::shared_ptr<Request>> make_request();
    void worker_done(Outcome outcome, std::string rest);

    Core& core_;
    Wire wire_;
    Peer peer_;
    asio::posix::stream_descriptor descriptor_;
    asio::steady_timer timer_;
    asio::steady_timer worker_event_;
    std::uint64_t generation_ = 0;  // of timer_: an old expiry must not hit a new wait
    bool expired_ = false;
    bool idle_ = true;  // between requests
    bool closing_ = false;
    bool worker_busy_ = false;
    std::optional<Parser> parser_;
    std::string small_body_;        // read before the worker is bothered
    bool continue_wanted_ = false;  // "Expect: 100-continue" not answered yet
    Outcome outcome_ = Outcome::close;
    std::string rest_;          // of the answer, which did not fit into the socket at once
    std::mutex release_mutex_;  // cut() against a worker that gives the socket away
    bool released_ = false;
};

// Small bodies are read on the I/O thread, so that a slow client cannot hold a worker with them.
inline constexpr std::size_t kSmallBody = 64 * 1024;

}  // namespace base::http
