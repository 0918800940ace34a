#include "base/sys/seqpacket.hpp"

#include "base/sys/error.hpp"
#include "base/sys/file.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace base::sys {

namespace {

Result<sockaddr_un> address_of(FdRef directory, std::string_view name) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string path = descriptor_path(directory) + "/" + std::string(name);
    if (path.size() >= sizeof address.sun_path) {
        return plain_error(Errc::invalid, "socket name " + std::string(name) + " is too long");
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

Result<Fd> new_socket() {
    Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!fd) return errno_error("make a seqpacket socket");
    return fd;
}

}  // namespace

Result<MessagePair> seqpacket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno_error("make a seqpacket pair");
    }
    return MessagePair{.first = Fd(ends[0]), .second = Fd(ends[1])};
}

Result<Fd> seqpacket_listen(FdRef directory, std::string_view name) {
    auto address = TRY(address_of(directory, name));
    Fd fd = TRY(new_socket());
    TRY(remove_at(directory, std::string(name)));
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return errno_error("bind " + std::string(name));
    }
    if (::fchmodat(directory.get(), std::string(name).c_str(), 0600, 0) != 0)
        return errno_error("chmod the socket");
    if (::listen(fd.get(), 8) != 0) return errno_error("listen on " + std::string(name));
    return fd;
}

Result<Fd> seqpacket_connect(FdRef directory, std::string_view name) {
    auto address = TRY(address_of(directory, name));
    Fd fd = TRY(new_socket());
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return errno_error("connect to " + std::string(name));
    }
    return fd;
}

Result<Fd> seqpacket_accept(FdRef listener) {
    Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return errno_error("accept");
    return fd;
}

Result<void> send_message(FdRef socket, std::string_view data, std::span<const FdRef> fds) {
    if (fds.size() > kMaxMessageFds)
        return plain_error(Errc::invalid, "too many descriptors in one message");
    iovec part = {.iov_base = const_cast<char*>(data.data()), .iov_len = data.size()};
    msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxMessageFds * sizeof(int))> control = {};
    if (!fds.empty()) {
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        cmsghdr* item = CMSG_FIRSTHDR(&header);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        for (std::size_t i = 0; i < fds.size(); ++i) {
            const int fd = fds[i].get();
            std::memcpy(CMSG_DATA(item) + i * sizeof(int), &fd, sizeof fd);
        }
    }
    for (;;) {
        const ssize_t n = ::sendmsg(socket.get(), &header, MSG_NOSIGNAL);
        if (n >= 0) return ok;
        if (errno != EINTR) return errno_error("send a message");
    }
}

Result<Message> receive_message(FdRef socket, std::size_t limit, bool wait) {
    Message message;
    // Asks for the size first: plans are large and rare, events are small and many.
    ssize_t size = 0;
    do {
        char probe = 0;
        size = ::recv(socket.get(), &probe, 1, MSG_PEEK | MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT));
    } while (size < 0 && errno == EINTR);
    if (size < 0) return errno_error("receive a message");
    if (size == 0) return plain_error(Errc::not_found, "the peer closed the connection");
    message.data.resize(static_cast<std::size_t>(size));
    iovec part = {.iov_base = message.data.data(), .iov_len = message.data.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxMessageFds * sizeof(int))> control = {};
    msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t n = 0;
    do {
        n = ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return errno_error("receive a message");
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr;
         item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
            message.fds.emplace_back(fd);
        }
    }
    if ((header.msg_flags & MSG_CTRUNC) != 0)
        return plain_error(Errc::corrupt, "message lost descriptors");
    if (static_cast<std::size_t>(n) > limit) {
        return plain_error(
                Errc::corrupt, "message is larger than " + std::to_string(limit) + " bytes");
    }
    message.data.resize(static_cast<std::size_t>(n));
    return message;
}

}  // namespace base::sys
