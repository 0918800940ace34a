// A netlink socket that only listens, for messages that come when they want: records of NFLOG,
// notifications of changed rules. Used by nflog.cpp and watch.cpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "garden/net/netlink.hpp"

#include <cstddef>
#include <functional>
#include <vector>

namespace garden::net {

class NetlinkListener {
  public:
    // In the network namespace of the calling thread. `room`: bytes that the kernel keeps for us.
    static base::Result<NetlinkListener> open(int room);

    base::Result<void> join(unsigned multicast_group);
    // Sends and waits for the acknowledgements; what else arrives meanwhile is dropped.
    base::Result<void> ask(const Messages& messages);

    base::FdRef fd() const { return socket_; }

    struct Drained {
        bool overrun = false;  // the kernel had no room and dropped messages
        bool more = false;     // `most` was reached
    };

    // Everything that is there, without waiting; at most `most` reads, so that nobody who floods
    // one listener keeps its thread from the other.
    base::Result<Drained> drain(std::size_t most, const std::function<void(const nlmsghdr*)>& each);

  private:
    explicit NetlinkListener(base::Fd socket) : socket_(std::move(socket)), buffer_(128 * 1024) {}

    // 0: nothing there.
    base::Result<std::size_t> receive();

    base::Fd socket_;
    std::vector<char> buffer_;
};

}  // namespace garden::net
