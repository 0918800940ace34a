// The main connections of Run and Attach after the hijack: one thread waits for all of them, so a
// waiting client holds no worker (garden-api §7). Output does not pass here: the shim writes it to
// the client's own sockets.
//
//   worker ── add ──► inbox ──► thread: epoll over sockets and stdins ── blocking calls ──► lanes
//   engine ── exit ──►   │                                                                 │
//   worker ── connect ───┴── stream id → attachment          "done" ◄──────────────────────┘
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/engine/engine.hpp"
#include "garden/server/lanes.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace garden::server {

inline constexpr std::size_t kMaxStreams = 16384;
inline constexpr std::size_t kMaxMessageBytes =
        std::size_t{64} << 20;                   // a Go client may send a whole buffer at once
inline constexpr std::size_t kMaxControls = 64;  // signals and resizes waiting, per stream
inline constexpr std::chrono::seconds kLateOutput{
        60};                                       // for output connections after the end (7.3)
inline constexpr std::chrono::seconds kLinger{1};  // 7.4, rule 4

struct Stream {
    base::Fd socket;
    std::string leftover;  // what the client sent behind its request
    Handle handle;
    Attachment attachment;
    std::shared_ptr<void> touch;  // pauses the grace time (garden-api §9)
};

class Streams {
  public:
    struct Times {
        std::chrono::milliseconds late_output = kLateOutput;
        std::chrono::milliseconds linger = kLinger;
    };

    static base::Result<std::unique_ptr<Streams>> start(Engine& engine, Times times);
    ~Streams();
    Streams(const Streams&) = delete;
    Streams& operator=(const Streams&) = delete;

    // Sends the first message and serves the connection from then on.
    void add(Stream stream);
    // An output connection: gives `socket` to the shim. A stream id is good for one connection to
    // each output, by the handle it was given for (API-09); everything else gets an empty output.
    void connect(
            const Handle& handle,
            const std::string& stream_id,
            bool is_stderr,
            const base::Fd& socket);

    // Lets go of an attachment that no connection has taken.
    void drop(const Handle& handle, std::uint64_t attachment);

    // Closes every connection without an exit status; processes keep running (7.4, rule 7). From
    // then on new connections are closed as well. Idempotent, safe from any thread.
    void abandon();

    std::size_t size() const { return open_; }

    bool full() const { return open_ >= kMaxStreams; }

    base::WorkerPool::Figures pool_figures() const { return lanes_.figures(); }

  private:
    struct Session;
    struct Waiting;  // one engine wait per process, whatever the number of its clients
    struct Inbox;    // what other threads tell this one
    using Sessions = std::map<std::uint64_t, std::unique_ptr<Session>>;
    using Clock = std::chrono::steady_clock;

    Streams(Engine& engine, Times times, base::Fd epoll, base::Fd wake);
    void run();
    void take_news();
    void admit(std::unique_ptr<Session> session);
    void wait_for(Session& session);
    void on_socket(Session& session);
    void on_input(Session& session);
    void watch(Session& session);
    void finish(Session& session, const base::Result<std::int32_t>& code);
    void close(Session& session, bool late_output);
    void forget(const std::string& stream_id);
    int next_timeout();
    void expire();

    // stream_input.cpp
    void take_messages(Session& session);
    void take_message(Session& session, std::string_view text);
    void flush_input(Session& session);
    void drop_input(Session& session);
    void control(Session& session, std::function<void()> action);

    Engine& engine_;
    const Times times_;
    base::Fd epoll_;
    base::Fd wake_;
    std::shared_ptr<Inbox> inbox_;
    std::atomic<std::size_t> open_{0};
    std::atomic<bool> abandoned_{false};
    Lanes lanes_{2 * kMaxStreams, 64};
    // The thread's own from here on.
    Sessions sessions_;
    std::uint64_t next_id_ = 1;
    std::multimap<Clock::time_point, std::function<void()>> timers_;
    std::thread thread_;
};

}  // namespace garden::server
