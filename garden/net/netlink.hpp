// A netlink socket and a buffer of messages: send all in one call, match every answer by sequence number. No policy.
// Used by links.cpp (rtnetlink) and nft.cpp. One socket per call: sockets are cheap and keep the namespace they were born in.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

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

class Netlink {
  public:
    // NETLINK_ROUTE or NETLINK_NETFILTER, in the network namespace of the calling thread.
    static base::Result<Netlink> open(int protocol);

    // Sends all messages and waits for each acknowledgement that was asked for. The first error, or success.
    // `tolerate`: these errno values count as success (ENOENT of a removal).
    base::Result<void> transact(const Messages& messages, std::span<const int> tolerate = {});
    // One dump request; `each` sees every answer. Repeated when the kernel says that the list changed meanwhile.
    base::Result<void> dump(const Messages& request, const std::function<void()>& restart,
                            const std::function<void(const nlmsghdr*)>& each);
    // Index of an interface in the socket's namespace; Errc::not_found when there is none.
    base::Result<int> interface_index(const char* name);

  private:
    explicit Netlink(base::Fd socket) : socket_(std::move(socket)), buffer_(64 * 1024) {}
    base::Result<void> send(const Messages& messages);
    base::Result<std::size_t> receive();
    base::Result<bool> dump_once(const Messages& request, const std::function<void(const nlmsghdr*)>& each);

    base::Fd socket_;
    std::vector<char> buffer_;
};

}  // namespace garden::net
