#include "base/sys/stream_socket.hpp"

#include "base/sys/error.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace base::sys {

namespace {

int milliseconds_until(SteadyTime deadline) {
    if (deadline == SteadyTime::max()) return -1;
    const auto now = std::chrono::steady_clock::now();
    if (deadline <= now) return 0;  // SteadyTime::min() minus now would overflow
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX));
}

void set_option(FdRef socket, int level, int name, int value) {
    (void)::setsockopt(
            socket.get(), level, name, &value, sizeof value);  // a comfort, not a promise
}

// A stop token has no descriptor to wait for, so a wait that it may end is cut into these.
constexpr std::chrono::milliseconds kStopCheck{100};

Result<void> wait_connected(
        FdRef socket, const Address& address, SteadyTime deadline, const std::stop_token& stop) {
    for (;;) {
        if (stop.stop_requested())
            return plain_error(Errc::cancelled, "connect to " + address.text() + ": cancelled");
        const auto slice = stop.stop_possible() ? std::chrono::steady_clock::now() + kStopCheck
                                                : SteadyTime::max();
        if (TRY(wait_ready(socket, Ready::write, std::min(deadline, slice)))) return ok;
        if (std::chrono::steady_clock::now() >= deadline)
            return plain_error(
                    Errc::timeout, "connect to " + address.text() + ": no answer in time");
    }
}

// A non-blocking connect that is under way: waits for its end.
Result<void> finish_connect(
        FdRef socket, const Address& address, SteadyTime deadline, const std::stop_token& stop) {
    TRY(wait_connected(socket, address, deadline, stop));
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno_error("getsockopt");
    if (error != 0) return errno_error("connect to " + address.text(), error);
    return ok;
}

}  // namespace

const ::sockaddr* Address::get() const {
    return static_cast<const ::sockaddr*>(static_cast<const void*>(&storage));
}

::sockaddr* Address::get() {
    return static_cast<::sockaddr*>(static_cast<void*>(&storage));
}

std::uint16_t Address::port() const {
    const void* raw = &storage;
    if (storage.ss_family == AF_INET)
        return ntohs(static_cast<const ::sockaddr_in*>(raw)->sin_port);
    if (storage.ss_family == AF_INET6)
        return ntohs(static_cast<const ::sockaddr_in6*>(raw)->sin6_port);
    return 0;
}

std::string Address::text() const {
    const void* raw = &storage;
    char host[INET6_ADDRSTRLEN] = "";
    if (storage.ss_family == AF_INET) {
        ::inet_ntop(AF_INET, &static_cast<const ::sockaddr_in*>(raw)->sin_addr, host, sizeof host);
        return std::string(host) + ":" + std::to_string(port());
    }
    if (storage.ss_family == AF_INET6) {
        ::inet_ntop(
                AF_INET6, &static_cast<const ::sockaddr_in6*>(raw)->sin6_addr, host, sizeof host);
        return "[" + std::string(host) + "]:" + std::to_string(port());
    }
    const auto* local = static_cast<const ::sockaddr_un*>(raw);
    return size > sizeof(sa_family_t) && local->sun_path[0] != 0 ? std::string(local->sun_path)
                                                                 : "unix";
}

Result<Address> unix_address(const std::string& path) {
    Address address;
    auto* local = static_cast<::sockaddr_un*>(static_cast<void*>(&address.storage));
    if (path.empty() || path.size() >= sizeof local->sun_path)
        return plain_error(
                Errc::invalid, "unix socket path '" + path + "': " + std::to_string(path.size()) +
                                       " bytes, allowed are 1 to " +
                                       std::to_string(sizeof local->sun_path - 1));
    local->sun_family = AF_UNIX;
    std::memcpy(local->sun_path, path.data(), path.size());
    address.size = static_cast<socklen_t>(offsetof(::sockaddr_un, sun_path) + path.size() + 1);
    return address;
}

Result<Fd> listen_on(const Address& address, int backlog) {
    Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return errno_error("create a socket");
    if (address.storage.ss_family != AF_UNIX) set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    if (::bind(socket.get(), address.get(), address.size) != 0)
        return errno_error("bind " + address.text());
    if (::listen(socket.get(), backlog) != 0) return errno_error("listen on " + address.text());
    return socket;
}

Result<Fd> adopt_listener(int number) {
    int listening = 0;
    socklen_t size = sizeof listening;
    // Asked before it is taken: what is no listener may belong to somebody else in this process.
    if (::getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0)
        return errno_error("inherited descriptor " + std::to_string(number));
    if (listening == 0)
        return Error{
                .kind = Errc::invalid,
                .text = "inherited descriptor " + std::to_string(number) + ": it does not listen"};
    const int flags = ::fcntl(number, F_GETFL);
    if (::fcntl(number, F_SETFD, FD_CLOEXEC) != 0 || flags < 0 ||
        ::fcntl(number, F_SETFL, flags | O_NONBLOCK) != 0)
        return errno_error("inherited descriptor " + std::to_string(number));
    return Fd(number);
}

Result<std::optional<Accepted>> accept_from(FdRef listener) {
    Accepted accepted;
    accepted.peer.size = sizeof accepted.peer.storage;
    accepted.socket = Fd(::accept4(
            listener.get(), accepted.peer.get(), &accepted.peer.size,
            SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (accepted.socket) return std::optional<Accepted>(std::move(accepted));
    // A client that gave up in the backlog is not an error of ours.
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return std::optional<Accepted>();
    return errno_error("accept");
}

Result<Fd> connect_to(const Address& address, SteadyTime deadline, std::stop_token stop) {
    Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return errno_error("create a socket");
    for (;;) {
        if (::connect(socket.get(), address.get(), address.size) == 0) return socket;
        if (errno == EINPROGRESS) break;
        // A unix listener whose backlog is full: connect again until the deadline; the kernel
        // offers nothing to wait on.
        if (errno != EAGAIN) return errno_error("connect to " + address.text());
        if (std::chrono::steady_clock::now() >= deadline)
            return plain_error(
                    Errc::timeout, "connect to " + address.text() + ": no answer in time");
        (void)::poll(nullptr, 0, 1);
    }
    TRY(finish_connect(socket, address, deadline, stop));
    return socket;
}

Result<Address> local_address(FdRef socket) {
    Address address;
    address.size = sizeof address.storage;
    if (::getsockname(socket.get(), address.get(), &address.size) != 0)
        return errno_error("getsockname");
    return address;
}

Result<::ucred> peer_credentials(FdRef socket) {
    ::ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return errno_error("read the credentials of the peer");
    return credentials;
}

Result<void> set_blocking(FdRef fd, bool blocking) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0) return errno_error("read descriptor flags");
    const int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    if (::fcntl(fd.get(), F_SETFL, wanted) != 0) return errno_error("set descriptor flags");
    return ok;
}

void no_delay(FdRef socket) {
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
}

void shut_down(FdRef socket, int how) {
    (void)::shutdown(socket.get(), how);  // already closed by the peer: nothing to do
}

Result<SocketPair> stream_pair() {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return errno_error("socketpair");
    return SocketPair{.first = Fd(ends[0]), .second = Fd(ends[1])};
}

Result<bool> wait_ready(FdRef fd, Ready what, SteadyTime deadline) {
    for (;;) {
        ::pollfd entry{
                .fd = fd.get(),
                .events = what == Ready::read ? short{POLLIN} : short{POLLOUT},
                .revents = 0};
        const int count = ::poll(&entry, 1, milliseconds_until(deadline));
        if (count > 0) return true;
        if (count == 0) return false;
        if (errno != EINTR) return errno_error("poll");
    }
}

Result<std::optional<std::size_t>> send_now(FdRef socket, std::string_view data) {
    const auto count = ::send(socket.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) return std::optional<std::size_t>(static_cast<std::size_t>(count));
    if (errno == EAGAIN || errno == EINTR) return std::optional<std::size_t>();
    return errno_error("send");
}

Result<std::optional<std::size_t>> receive_now(FdRef socket, std::span<char> into) {
    const auto count = ::recv(socket.get(), into.data(), into.size(), MSG_DONTWAIT);
    if (count >= 0) return std::optional<std::size_t>(static_cast<std::size_t>(count));
    if (errno == EAGAIN || errno == EINTR) return std::optional<std::size_t>();
    return errno_error("receive");
}

bool hung_up(FdRef socket) {
    ::pollfd entry{.fd = socket.get(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace base::sys
