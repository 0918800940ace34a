// A netlink socket and a buffer of messages: send all in one call, match every answer by sequence
// number. No policy. Used by links.cpp (rtnetlink) and nft.cpp. A socket serves one call at a time
// and keeps the namespace it was born in.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <libmnl/libmnl.h>

namespace garden::net {

// Messages that go to the kernel in one send. `what` (a literal) names a message in errors.
class Messages {
  public:
    Messages();

    // `fill(nlmsghdr*)` puts the family header and attributes; at most kRoom bytes.
    template <class Fill>
    void add(const char* what, unsigned type, unsigned flags, Fill fill) {
        nlmsghdr* header = begin(what, type, flags);
        fill(header);
        end(header);
    }

    // Asks for an answer to the message added last.
    void acknowledge_last();

    struct Entry {
        std::uint32_t sequence = 0;
        const char* what = "";
        bool acknowledged = false;
    };

    std::span<const char> data() const { return {buffer_.data(), used_}; }

    const std::vector<Entry>& entries() const { return entries_; }

    bool empty() const { return entries_.empty(); }

    static constexpr std::size_t kRoom = 16 * 1024;

  private:
    nlmsghdr* begin(const char* what, unsigned type, unsigned flags);
    void end(nlmsghdr* header);

    std::vector<char> buffer_;
    std::size_t used_ = 0;
    std::size_t last_ = 0;
    std::vector<Entry> entries_;
};

// Gives the socket a port of its own and says which.
base::Result<std::uint32_t> bind_netlink(base::FdRef socket);

class Netlink {
  public:
    // NETLINK_ROUTE or NETLINK_NETFILTER, in the network namespace of the calling thread.
    static base::Result<Netlink> open(int protocol);

    // Sends all messages and waits for each acknowledgement that was asked for. The first error, or
    // success. `tolerate`: these errno values count as success (ENOENT of a removal).
    base::Result<void> transact(const Messages& messages, std::span<const int> tolerate = {});
    // One dump request; `each` sees every answer. Repeated when the kernel says that the list
    // changed meanwhile.
    base::Result<void> dump(
            const Messages& request,
            const std::function<void()>& restart,
            const std::function<void(const nlmsghdr*)>& each);
    // Index of an interface in the socket's namespace; Errc::not_found when there is none.
    base::Result<int> interface_index(const char* name);

    // What the kernel calls this socket: changes that we make bear it in notifications.
    std::uint32_t port() const { return port_; }

    // No answer is outstanding: the socket may be used again.
    bool clean() const { return clean_; }

  private:
    Netlink(base::Fd socket, std::uint32_t port)
        : socket_(std::move(socket)), buffer_(64 * 1024), port_(port) {}

    base::Result<void> send(const Messages& messages);
    base::Result<std::size_t> receive();
    base::Result<bool> dump_once(
            const Messages& request, const std::function<void(const nlmsghdr*)>& each);

    base::Fd socket_;
    std::vector<char> buffer_;
    std::uint32_t port_ = 0;
    bool clean_ = true;
};

// Sockets that stay open between calls. Closing an nf_tables socket waits until the kernel has
// freed what the last transaction removed, an RCU grace period: 15 ms that a destroy must not pay.
class SocketPool {
  public:
    explicit SocketPool(int protocol) : protocol_(protocol) {}

    class Borrowed {
      public:
        Borrowed(SocketPool& pool, Netlink socket) : pool_(&pool), socket_(std::move(socket)) {}

        Borrowed(Borrowed&& other) noexcept
            : pool_(std::exchange(other.pool_, nullptr)), socket_(std::move(other.socket_)) {}

        Borrowed& operator=(Borrowed&&) = delete;
        Borrowed(const Borrowed&) = delete;
        Borrowed& operator=(const Borrowed&) = delete;

        ~Borrowed() {
            if (pool_ != nullptr) pool_->give(std::move(socket_));
        }

        Netlink& operator*() { return socket_; }

      private:
        SocketPool* pool_;
        Netlink socket_;
    };

    base::Result<Borrowed> take();
    // Whether a socket of this pool has, or had, this port.
    bool owns(std::uint32_t port) const;

  private:
    void give(Netlink socket);

    const int protocol_;
    mutable std::mutex mutex_;
    std::vector<Netlink> free_;
    std::set<std::uint32_t> ports_;  // as many as calls ran at once, plus one per broken socket
};

}  // namespace garden::net
