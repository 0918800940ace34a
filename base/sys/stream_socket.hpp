// Stream sockets: listen, accept, connect with a deadline, credentials, poll of one descriptor.
// Used by base/http. Sockets made here are non-blocking and close-on-exec; no names are resolved
// here.
#pragma once

#include "base/cstr.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

#include <sys/socket.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace base::sys {

using SteadyTime = std::chrono::steady_clock::time_point;

struct Address {
    ::sockaddr_storage storage{};
    socklen_t size = 0;

    const ::sockaddr* get() const;
    ::sockaddr* get();
    std::string text() const;    // "192.0.2.1:80", "[::1]:80", "unix"
    std::uint16_t port() const;  // 0 for unix
};

Result<Address> unix_address(const std::string& path);

Result<Fd> listen_on(const Address& address, int backlog = 1024);
// A listening socket that the parent process left us under this number.
Result<Fd> adopt_listener(int number);

// The next connection, or nothing when none waits (non-blocking listener).
struct Accepted {
    Fd socket;
    Address peer;
};

Result<std::optional<Accepted>> accept_from(FdRef listener);
// A stop is felt within a tenth of a second (Errc::cancelled).
Result<Fd> connect_to(const Address& address, SteadyTime deadline, std::stop_token stop = {});
Result<Address> local_address(FdRef socket);
Result<::ucred> peer_credentials(FdRef socket);
Result<void> set_blocking(FdRef fd, bool blocking);
void no_delay(FdRef socket);            // TCP_NODELAY and SO_KEEPALIVE; what is not TCP ignores it
void shut_down(FdRef socket, int how);  // shutdown(2); a socket that is gone already is fine

struct SocketPair {
    Fd first;
    Fd second;
};

Result<SocketPair> stream_pair();  // blocking

enum class Ready { read, write };
// True when ready (or broken: the next call says how), false at the deadline. SteadyTime::max()
// waits for ever.
Result<bool> wait_ready(FdRef fd, Ready what, SteadyTime deadline);
// send and recv without waiting and without SIGPIPE: the bytes moved, nothing when it would block.
// 0 from receive: the end.
Result<std::optional<std::size_t>> send_now(FdRef socket, std::string_view data);
Result<std::optional<std::size_t>> receive_now(FdRef socket, std::span<char> into);
// The other side has closed its direction or the connection.
bool hung_up(FdRef socket);

}  // namespace base::sys
