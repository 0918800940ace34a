#include "garden/launch/shim/output.hpp"

#include "base/sys/error.hpp"
#include "garden/launch/shim_client.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace garden::launch {

void Tail::append(std::string_view data) {
    if (data.size() >= kTailBytes) {
        ring_.assign(data.substr(data.size() - kTailBytes));
        next_ = 0;
        return;
    }
    const std::size_t room = kTailBytes - ring_.size();
    const auto first = data.substr(0, std::min(room, data.size()));
    ring_.append(first);
    data.remove_prefix(first.size());
    while (!data.empty()) {
        const std::size_t part = std::min(data.size(), kTailBytes - next_);
        std::memcpy(ring_.data() + next_, data.data(), part);
        next_ = (next_ + part) % kTailBytes;
        data.remove_prefix(part);
    }
}

std::string Tail::text() const {
    return ring_.substr(next_) + ring_.substr(0, next_);
}

void Sink::append(std::string_view data) {
    if (ended_ || dropped_) return;
    if (connected() && head_ == data_.size()) {
        const ssize_t done = write_some(data);
        if (done < 0) return drop();
        data.remove_prefix(static_cast<std::size_t>(done));
        if (data.empty()) return;
    }
    if (head_ > 0) {
        data_.erase(0, head_);
        head_ = 0;
    }
    data_.append(data);
    // Nobody has connected: the oldest goes, the process is not held (garden-api 7.3).
    if (!connected() && data_.size() > kAttachmentBytes)
        data_.erase(0, data_.size() - kAttachmentBytes);
}

bool Sink::awaited() const {
    // One more read must fit.
    return !once_connected_ && !dropped_ && !ended_ &&
           data_.size() + kReadBytes > kAttachmentBytes &&
           std::chrono::steady_clock::now() - born_ < kConnectPatience;
}

void Sink::end() {
    ended_ = true;
    if (connected() && !pending()) close();
}

base::Result<void> Sink::connect(base::Fd fd) {
    if (once_connected_)
        return base::sys::plain_error(
                base::Errc::conflict, "this stream of the attachment is connected already");
    struct stat info = {};
    if (::fstat(fd.get(), &info) != 0)
        return base::sys::errno_error("look at the output descriptor");
    socket_ = S_ISSOCK(info.st_mode);
    if (!socket_) {
        const int flags = ::fcntl(fd.get(), F_GETFL);
        if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
            return base::sys::errno_error("make the output descriptor non-blocking");
        }
    }
    fd_ = std::move(fd);
    once_connected_ = true;
    flush();
    return base::ok;
}

void Sink::flush() {
    while (pending()) {
        const ssize_t done = write_some(std::string_view(data_).substr(head_));
        if (done < 0) return drop();
        if (done == 0) return;
        head_ += static_cast<std::size_t>(done);
    }
    data_ = {};  // gives the memory back
    head_ = 0;
    if (ended_ && connected()) close();
}

void Sink::drop() {
    dropped_ = true;
    fd_.reset();
    data_ = {};
    head_ = 0;
}

ssize_t Sink::write_some(std::string_view data) {
    ssize_t done = 0;
    do {
        done = socket_ ? ::send(fd_.get(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                       : ::write(fd_.get(), data.data(), data.size());
    } while (done < 0 && errno == EINTR);
    if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
    return done;
}

void Sink::close() {
    // gardend may hold a copy of the socket: the client shall see the end now.
    if (socket_) (void)::shutdown(fd_.get(), SHUT_WR);  // a dead client is fine
    fd_.reset();
}

}  // namespace garden::launch
