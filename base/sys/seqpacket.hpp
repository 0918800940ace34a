// Datagram messages with descriptors over AF_UNIX SOCK_SEQPACKET. Used between gardend and
// garden-shim.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace base::sys {

inline constexpr std::size_t kMaxMessageFds = 64;  // the kernel's SCM_MAX_FD is 253

struct Message {
    std::string data;
    std::vector<Fd> fds;
};

struct MessagePair {
    Fd first;
    Fd second;
};

Result<MessagePair> seqpacket_pair();
// Listens at a name below `directory`, by descriptor path, so that sun_path never overflows. Mode
// 0600.
Result<Fd> seqpacket_listen(FdRef directory, std::string_view name);
Result<Fd> seqpacket_connect(FdRef directory, std::string_view name);
Result<Fd> seqpacket_accept(FdRef listener);
// Sends one message whole. EAGAIN (a full non-blocking socket) is Errc::unavailable.
Result<void> send_message(FdRef socket, std::string_view data, std::span<const FdRef> fds = {});
// The next message; an orderly end is Errc::not_found with sys 0. `limit`: longer messages are
// Errc::corrupt.
Result<Message> receive_message(FdRef socket, std::size_t limit, bool wait = true);

}  // namespace base::sys
