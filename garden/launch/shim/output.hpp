// Output of a process inside the shim: the retained tail, and the sinks that clients gave us. Used
// by garden-shim only.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace garden::launch {

inline constexpr std::size_t kReadBytes = 64U << 10;  // of a source at once

// The last kTailBytes of a stream; grows as it is used.
class Tail {
  public:
    void append(std::string_view data);
    std::string text() const;

  private:
    std::string ring_;
    std::size_t next_ = 0;  // where the next byte goes once the ring has its full size
};

// One attachment's view of one stream: kept until a client's socket arrives, then written to it.
class Sink {
  public:
    // A connected sink above this holds the process back (kernel pipe), so that memory stays
    // bounded.
    static constexpr std::size_t kHigh = 256U << 10;
    // A client connects its outputs right after it has heard of the process (garden-api 7.2). So
    // long a full sink holds the process back before output is dropped.
    static constexpr std::chrono::milliseconds kConnectPatience{1000};

    void append(std::string_view data);
    void end();  // nothing follows; the socket is closed once all is written
    base::Result<void> connect(base::Fd fd);
    void flush();  // as much as the socket takes
    void drop();   // the client is gone, or the attachment is

    bool connected() const { return static_cast<bool>(fd_); }

    bool once_connected() const { return once_connected_; }

    bool pending() const { return connected() && head_ < data_.size(); }

    bool full() const { return connected() ? data_.size() - head_ >= kHigh : awaited(); }

    // Not connected yet, full, and a client may still come.
    bool awaited() const;

    base::FdRef fd() const { return fd_; }

    bool watched = false;  // in the epoll set
    bool watched_for_room = false;

  private:
    // Bytes written, 0 when the socket is full, -1 when it is dead.
    ssize_t write_some(std::string_view data);
    void close();

    base::Fd fd_;
    bool socket_ = false;
    bool once_connected_ = false;
    bool ended_ = false;
    bool dropped_ = false;
    const std::chrono::steady_clock::time_point born_ = std::chrono::steady_clock::now();
    std::string data_;  // from head_ on
    std::size_t head_ = 0;
};

}  // namespace garden::launch
