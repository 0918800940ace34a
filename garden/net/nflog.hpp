// The daemon's NFLOG group: from messages of the kernel to records (NET-07). Used by watcher.cpp.
#pragma once

#include "base/result.hpp"
#include "garden/net/evidence_log.hpp"
#include "garden/net/netlink_listener.hpp"

#include <cstdint>
#include <optional>

namespace garden::net {

class Nflog {
  public:
    // Errc::conflict when another program reads this group already.
    static base::Result<Nflog> open(std::uint16_t group);

    base::FdRef fd() const { return listener_.fd(); }

    // Hands everything that is there to `log`. `true`: there is more.
    base::Result<bool> drain(ConnectionLog& log);

  private:
    explicit Nflog(NetlinkListener listener) : listener_(std::move(listener)) {}

    void take(const nlmsghdr* header, ConnectionLog& log);

    NetlinkListener listener_;
    std::optional<std::uint32_t> next_;  // sequence number of the next record
};

}  // namespace garden::net
