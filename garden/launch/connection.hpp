// One connection to a shim: requests waiting for their reply, and facts waiting for a listener.
// Used by the ShimHub only.
#pragma once

#include "base/fd.hpp"
#include "garden/launch/protocol.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <variant>

namespace garden::launch {

class Connection {
  public:
    Connection(std::uint64_t id, base::Fd socket) : id_(id), socket_(std::move(socket)) {}

    std::uint64_t id() const { return id_; }

    base::FdRef socket() const { return socket_; }

    // Sends and waits for the reply; a reply that says "failed" comes back as its error. A shim
    // that has ended is unavailable with sys EPIPE.
    struct Reply {
        Outcome outcome;
        std::vector<base::Fd> fds;
    };

    base::Result<Reply> call(
            MessageKind kind,
            std::string_view body,
            std::span<const base::FdRef> fds,
            std::chrono::milliseconds deadline);

    // Hub thread: everything that has arrived; false when the connection is over.
    bool receive();
    void lose();
    void deliver();  // facts to the listener, in order
    void listen(Events events);

    void expect_end() { set_ending(); }

    bool lost() const;
    bool listening() const;
    void close();  // the user's handle is gone

  private:
    struct Died {};

    struct Lost {};

    using Fact = std::variant<Exit, Died, Lost>;

    struct Waiting {
        std::optional<base::Result<Reply>> reply;
    };

    void accept(Frame frame);
    void set_ending();

    const std::uint64_t id_;
    const base::Fd socket_;
    std::mutex send_;           // keeps the parts of one message together
    mutable std::mutex mutex_;  // everything below
    std::condition_variable arrived_;
    std::map<std::uint64_t, Waiting> waiting_;
    std::uint64_t next_ = 1;
    std::deque<Fact> facts_;
    Events events_;
    bool listening_ = false;
    bool lost_ = false;
    bool ending_ = false;  // destroy was asked for: the end of the connection is no news
};

}  // namespace garden::launch
