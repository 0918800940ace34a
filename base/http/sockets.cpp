#include "base/http/sockets.hpp"

#include "base/fail.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

namespace base::http {

namespace {

// A full or dead listener must answer this quickly when we ask whether a socket file is stale.
constexpr std::chrono::milliseconds kStaleCheck{200};

Result<std::vector<sys::Address>> resolve(const Endpoint& endpoint, bool passive) {
    ::addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : AI_ADDRCONFIG);
    // AI_ADDRCONFIG hides loopback where only loopback exists; a literal address needs no look-up
    // anyhow.
    ::addrinfo* raw = nullptr;
    const auto port = std::to_string(endpoint.port);
    const char* host = endpoint.host.empty() ? nullptr : endpoint.host.c_str();
    int error = ::getaddrinfo(host, port.c_str(), &hints, &raw);
    if (error != 0 && !passive) {
        hints.ai_flags = AI_NUMERICSERV;
        error = ::getaddrinfo(host, port.c_str(), &hints, &raw);
    }
    if (error != 0)
        return fail(
                Errc::unavailable, "look up host '{}': {}", endpoint.host, ::gai_strerror(error));
    const std::unique_ptr<::addrinfo, decltype(&::freeaddrinfo)> list(raw, &::freeaddrinfo);
    std::vector<sys::Address> out;
    for (const auto* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
        sys::Address address;
        std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
        address.size = entry->ai_addrlen;
        out.push_back(address);
    }
    if (out.empty()) return fail(Errc::unavailable, "look up host '{}': no address", endpoint.host);
    return out;
}

// garden-api §1: an existing file is removed first, even a regular one; a live listener is not.
Result<void> remove_stale(const Endpoint& endpoint, const sys::Address& address) {
    const FdRef here(AT_FDCWD);
    if (!TRY(sys::exists_at(here, endpoint.path))) return ok;
    if (sys::connect_to(address, deadline_in(kStaleCheck)))
        return fail(Errc::conflict, "listen on {}: another program listens there", endpoint.text());
    return sys::remove_at(here, endpoint.path);
}

Result<Listener> listen_unix(const Endpoint& endpoint) {
    const auto address = TRY(sys::unix_address(endpoint.path));
    TRY(remove_stale(endpoint, address));
    auto socket = TRY(sys::listen_on(address));
    if (::chmod(endpoint.path.c_str(), endpoint.mode) != 0)
        return fail_errno("chmod {}", endpoint.path);
    if ((endpoint.owner || endpoint.group) &&
        ::chown(endpoint.path.c_str(), endpoint.owner.value_or(static_cast<uid_t>(-1)),
                endpoint.group.value_or(static_cast<gid_t>(-1))) != 0)
        return fail_errno("chown {}", endpoint.path);
    const auto file = TRY(sys::stat_at(FdRef(AT_FDCWD), endpoint.path));
    return Listener{
            .endpoint = endpoint,
            .socket = std::move(socket),
            .file_device = file.st_dev,
            .file_number = file.st_ino};
}

Result<Fd> connect_any(const Endpoint& endpoint, Deadline deadline, const std::stop_token& stop) {
    if (endpoint.kind == Endpoint::Kind::unix_socket)
        return sys::connect_to(TRY(sys::unix_address(endpoint.path)), deadline, stop);
    Result<Fd> last = fail(Errc::unavailable, "no address");
    for (const auto& address : TRY(resolve(endpoint, false))) {
        last = sys::connect_to(address, deadline, stop);
        if (last) {
            sys::no_delay(*last);
            return last;
        }
    }
    return last;
}

enum class Flow { running, ended };

// Bytes that one direction could not deliver at once; refilled only when empty, so it is bounded.
struct Direction {
    std::array<char, 16 * 1024> data{};
    std::size_t begin = 0, end = 0;
    Flow flow = Flow::running;

    std::string_view rest() const { return {data.data() + begin, end - begin}; }

    bool empty() const { return begin == end; }
};

// wire → plain. False: broken.
bool move_out(Wire& wire, FdRef plain, Direction& way) {
    if (way.empty() && way.flow == Flow::running) {
        const auto step = wire.try_read(way.data);
        if (!step) return false;
        if (step->kind != Wire::Step::Kind::done) return true;
        way.begin = 0;
        way.end = step->bytes;
        if (step->bytes == 0) {
            way.flow = Flow::ended;
            sys::shut_down(plain, SHUT_WR);
        }
    }
    if (way.empty()) return true;
    const auto count =
            ::send(plain.get(), way.rest().data(), way.rest().size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    way.begin += static_cast<std::size_t>(count);
    return true;
}

// plain → wire. False: broken.
bool move_in(Wire& wire, FdRef plain, Direction& way) {
    if (way.empty() && way.flow == Flow::running) {
        const auto count = ::recv(plain.get(), way.data.data(), way.data.size(), MSG_DONTWAIT);
        if (count < 0) return errno == EAGAIN || errno == EINTR;
        way.begin = 0;
        way.end = static_cast<std::size_t>(count);
        if (count == 0) {
            way.flow = Flow::ended;
            wire.close_write();
        }
    }
    if (way.empty()) return true;
    const auto step = wire.try_write(way.rest());
    if (!step) return false;
    if (step->kind == Wire::Step::Kind::done) way.begin += step->bytes;
    return true;
}

short wanted(bool in, bool out) {
    return static_cast<short>((in ? POLLIN : 0) | (out ? POLLOUT : 0));
}

}  // namespace

Result<Listener> open_listener(const Endpoint& endpoint) {
    if (endpoint.kind == Endpoint::Kind::unix_socket) return listen_unix(endpoint);
    Result<Fd> last = fail(Errc::unavailable, "no address");
    for (const auto& address : TRY(resolve(endpoint, true))) {
        last = sys::listen_on(address);
        if (last) break;
    }
    Listener listener{
            .endpoint = endpoint,
            .socket = TRY(std::move(last).context("listen on " + endpoint.text()))};
    listener.endpoint.port = TRY(sys::local_address(listener.socket)).port();
    return listener;
}

Result<Listener> adopt_listener(int number) {
    Listener listener{.endpoint = {}, .socket = TRY(sys::adopt_listener(number))};
    const auto address = TRY(sys::local_address(listener.socket));
    if (address.storage.ss_family == AF_UNIX) return listener;
    listener.endpoint.kind = Endpoint::Kind::tcp;
    listener.endpoint.port = address.port();
    const auto text = address.text();
    listener.endpoint.host = text.substr(0, text.rfind(':'));
    return listener;
}

void remove_socket_file(const Listener& listener) {
    if (listener.endpoint.kind != Endpoint::Kind::unix_socket) return;
    const auto file = sys::stat_at(FdRef(AT_FDCWD), listener.endpoint.path);
    if (!file || file->st_dev != listener.file_device || file->st_ino != listener.file_number)
        return;
    (void)sys::remove_at(
            FdRef(AT_FDCWD),
            listener.endpoint.path);  // a leftover file is removed by the next start
}

Result<Wire> dial(const Endpoint& endpoint, SSL_CTX* tls, Deadline deadline, std::stop_token stop) {
    Wire wire(TRY(connect_any(endpoint, deadline, stop)));
    if (endpoint.kind != Endpoint::Kind::tls) return wire;
    const auto& name = endpoint.tls.server_name.empty() ? endpoint.host : endpoint.tls.server_name;
    wire.start_tls(TRY(make_client_session(tls, wire.socket(), name)));
    {
        const std::stop_callback shut(
                stop, [socket = wire.socket()] { sys::shut_down(socket, SHUT_RDWR); });
        TRY(wire.handshake(deadline));
    }
    return wire;
}

void pump(Wire& wire, FdRef plain) {
    Direction out, in;
    for (;;) {
        if (!move_out(wire, plain, out) || !move_in(wire, plain, in)) break;
        const bool out_over = out.flow == Flow::ended && out.empty();
        const bool in_over = in.flow == Flow::ended && in.empty();
        if (out_over && in_over) break;
        if (wire.pending() && out.empty()) continue;
        std::array<::pollfd, 2> entries{};
        entries[0] = {
                .fd = wire.socket().get(),
                .events = wanted(out.empty() && !out_over, !in.empty()),
                .revents = 0};
        entries[1] = {
                .fd = plain.get(),
                .events = wanted(in.empty() && !in_over, !out.empty()),
                .revents = 0};
        // A hang-up is reported even when nothing was asked for: a descriptor that we want nothing
        // from sits out.
        for (auto& entry : entries)
            if (entry.events == 0) entry.fd = -1;
        (void)::poll(entries.data(), entries.size(), -1);
    }
    sys::shut_down(plain, SHUT_RDWR);
    sys::shut_down(wire.socket(), SHUT_RDWR);
}

}  // namespace base::http
