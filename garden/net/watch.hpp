// Notices who else changes our tables (NET-15): notifications of nf_tables, without those that our
// own sockets caused. Used by watcher.cpp.
//
// Why the table has no owner (NFT_TABLE_F_OWNER), which would keep others out: ownership belongs to
// one socket, and ours is changed by several at once; it must outlive gardend (the flag for that,
// PERSIST, is younger than kernels we run on) and be changed by `gardend cleanup`; and an operator
// must be able to read and remove it by hand. So changes are noticed and undone instead.
#pragma once

#include "base/result.hpp"
#include "garden/net/netlink_listener.hpp"

#include <functional>
#include <optional>
#include <string>

namespace garden::net {

class RuleWatch {
  public:
    using Ours = std::function<bool(std::uint32_t port)>;

    static base::Result<RuleWatch> open(std::string table, Ours ours);

    base::FdRef fd() const { return listener_.fd(); }

    struct Seen {
        std::string foreign;  // "" = nothing; otherwise what was changed, and by whom
        bool missed = false;  // notifications were dropped: the rules must be looked at
        bool more = false;
    };

    base::Result<Seen> drain();

  private:
    RuleWatch(NetlinkListener listener, std::string table, Ours ours)
        : listener_(std::move(listener)), table_(std::move(table)), ours_(std::move(ours)) {}

    void take(const nlmsghdr* header, Seen& seen);

    NetlinkListener listener_;
    std::string table_;
    Ours ours_;
    std::uint32_t actor_ = 0;  // the port of who changed our table in a transaction not ended yet
    std::string what_;
};

}  // namespace garden::net
