#include "garden/net/netlink.hpp"

#include "base/fail.hpp"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace garden::net {

namespace {

constexpr int kAnswerSeconds = 10;  // the kernel answers inside send(); this is only a net under it
constexpr int kDumpTries = 8;

std::size_t aligned(std::size_t size) {
    return (size + 3) & ~std::size_t{3};
}

int find_text(const nlattr* attribute, void* data) {
    if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
        mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0) {
        *static_cast<std::string*>(data) = std::string(" (") + mnl_attr_get_str(attribute) + ")";
    }
    return MNL_CB_OK;
}

// What the kernel says beside the number ("Device is already enslaved"), when it says something.
std::string extended_text(const nlmsghdr* header) {
    if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return "";
    const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
    std::size_t offset = sizeof *error;
    if ((header->nlmsg_flags & NLM_F_CAPPED) == 0)
        offset += aligned(error->msg.nlmsg_len) - sizeof(nlmsghdr);
    if (offset > mnl_nlmsg_get_payload_len(header)) return "";
    std::string text;
    (void)mnl_attr_parse(header, static_cast<unsigned>(offset), find_text, &text);
    return text;
}

base::Error refused(const char* what, int error, const std::string& detail) {
    return base::Error{
            .kind = base::errc_of_errno(error),
            .sys = error,
            .text = std::string(what) + ": " + base::errno_text(error) + detail,
            .where = base::Where::here()};
}

}  // namespace

Messages::Messages() : buffer_(2 * kRoom) {}

nlmsghdr* Messages::begin(const char* what, unsigned type, unsigned flags) {
    // libmnl and libnftnl write without asking for the size: there is always room for one whole
    // message.
    if (buffer_.size() - used_ < kRoom) buffer_.resize(buffer_.size() * 2);
    nlmsghdr* header = mnl_nlmsg_put_header(buffer_.data() + used_);
    header->nlmsg_type = static_cast<std::uint16_t>(type);
    header->nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
    header->nlmsg_seq = static_cast<std::uint32_t>(entries_.size()) + 1;
    entries_.push_back(Entry{
            .sequence = header->nlmsg_seq, .what = what, .acknowledged = (flags & NLM_F_ACK) != 0});
    return header;
}

void Messages::end(nlmsghdr* header) {
    if (header->nlmsg_len > kRoom) base::panic("netlink message larger than its room");
    last_ = used_;
    used_ += aligned(header->nlmsg_len);
}

void Messages::acknowledge_last() {
    auto* header = static_cast<nlmsghdr*>(static_cast<void*>(buffer_.data() + last_));
    header->nlmsg_flags = static_cast<std::uint16_t>(header->nlmsg_flags | NLM_F_ACK);
    entries_.back().acknowledged = true;
}

base::Result<std::uint32_t> bind_netlink(base::FdRef socket) {
    sockaddr_nl own{};
    own.nl_family = AF_NETLINK;
    socklen_t length = sizeof own;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &length) != 0) {
        return base::fail_errno("bind a netlink socket");
    }
    return own.nl_pid;
}

base::Result<Netlink> Netlink::open(int protocol) {
    base::Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
    if (!socket) return base::fail_errno("open a netlink socket");
    const int on = 1;
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    // A dump may filter by kind only when the kernel checks the request strictly.
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    const timeval timeout{.tv_sec = kAnswerSeconds, .tv_usec = 0};
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) {
        return base::fail_errno("set the timeout of a netlink socket");
    }
    const std::uint32_t port = TRY(bind_netlink(socket));
    return Netlink(std::move(socket), port);
}

base::Result<void> Netlink::send(const Messages& messages) {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    const auto data = messages.data();
    for (int tries = 0;; ++tries) {
        const ssize_t sent = ::sendto(
                socket_.get(), data.data(), data.size(), 0,
                reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
        if (sent == static_cast<ssize_t>(data.size())) return base::ok;
        if (sent >= 0)
            return base::fail(base::Errc::internal, "netlink: the kernel took only {} bytes", sent);
        if (errno == EMSGSIZE) {
            // A large batch (many elements at start): raise the buffer once, then try again.
            const int wanted = static_cast<int>(data.size()) + 64 * 1024;
            if (tries > 0 ||
                ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) !=
                        0) {
                errno = EMSGSIZE;
                return base::fail_errno("netlink: send {} bytes", data.size());
            }
        } else if ((errno != EINTR && errno != ENOBUFS) || tries >= kDumpTries) {
            return base::fail_errno("netlink: send");
        }
    }
}

base::Result<std::size_t> Netlink::receive() {
    for (;;) {
        sockaddr_nl from{};
        socklen_t length = sizeof from;
        const ssize_t got = ::recvfrom(
                socket_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC,
                reinterpret_cast<sockaddr*>(&from), &length);
        if (got < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN)
                return base::fail(
                        base::Errc::timeout, "netlink: no answer in {} s", kAnswerSeconds);
            return base::fail_errno("netlink: receive");
        }
        if (from.nl_pid != 0) continue;  // only the kernel is believed
        if (static_cast<std::size_t>(got) > buffer_.size()) {
            return base::fail(base::Errc::exhausted, "netlink: answer of {} bytes", got);
        }
        return static_cast<std::size_t>(got);
    }
}

base::Result<void> Netlink::transact(const Messages& messages, std::span<const int> tolerate) {
    std::size_t waiting = 0;
    for (const auto& entry : messages.entries()) waiting += entry.acknowledged ? 1U : 0U;
    clean_ = false;
    TRY(send(messages));
    base::Result<void> result;
    while (waiting > 0) {
        const std::size_t size = TRY(receive());
        int left = static_cast<int>(size);
        for (const nlmsghdr* header = reinterpret_cast<const nlmsghdr*>(buffer_.data());
             mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
            if (header->nlmsg_type != NLMSG_ERROR) continue;
            const auto* answer = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
            const std::uint32_t sequence = header->nlmsg_seq;
            if (sequence == 0 || sequence > messages.entries().size()) continue;
            const auto& entry = messages.entries()[sequence - 1];
            if (entry.acknowledged) --waiting;
            const int error = -answer->error;
            const bool fine = error == 0 ||
                              std::find(tolerate.begin(), tolerate.end(), error) != tolerate.end();
            if (!fine && result) result = refused(entry.what, error, extended_text(header));
        }
    }
    clean_ = true;
    return result;
}

base::Result<bool> Netlink::dump_once(
        const Messages& request, const std::function<void(const nlmsghdr*)>& each) {
    clean_ = false;
    TRY(send(request));
    bool consistent = true;
    for (;;) {
        const std::size_t size = TRY(receive());
        int left = static_cast<int>(size);
        for (const nlmsghdr* header = reinterpret_cast<const nlmsghdr*>(buffer_.data());
             mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
            if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) consistent = false;
            if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
                clean_ = true;
            if (header->nlmsg_type == NLMSG_DONE) return consistent;
            if (header->nlmsg_type == NLMSG_ERROR) {
                const auto* answer = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
                if (answer->error == 0) return consistent;
                return refused(
                        request.entries().front().what, -answer->error, extended_text(header));
            }
            each(header);
        }
    }
}

base::Result<void> Netlink::dump(
        const Messages& request,
        const std::function<void()>& restart,
        const std::function<void(const nlmsghdr*)>& each) {
    for (int tries = 0; tries < kDumpTries; ++tries) {
        restart();
        auto consistent = dump_once(request, each);
        if (!consistent) {
            // The list changed under the dump (nf_tables says so with EINTR).
            if (consistent.error().sys == EINTR || consistent.error().sys == EAGAIN) continue;
            return std::move(consistent).error();
        }
        if (*consistent) return base::ok;
    }
    return base::fail(
            base::Errc::unavailable, "{}: the list changed during {} tries",
            request.entries().front().what, kDumpTries);
}

base::Result<int> Netlink::interface_index(const char* name) {
    ifreq request{};
    if (std::strlen(name) >= sizeof request.ifr_name) {
        return base::fail(
                base::Errc::invalid, "interface name {} is longer than 15 characters", name);
    }
    std::memcpy(request.ifr_name, name, std::strlen(name));
    if (::ioctl(socket_.get(), SIOCGIFINDEX, &request) != 0) {
        const int error = errno;
        auto failed = base::fail_errno("find interface {}", name);
        if (error == ENODEV) failed.kind = base::Errc::not_found;
        return failed;
    }
    return request.ifr_ifindex;
}

base::Result<SocketPool::Borrowed> SocketPool::take() {
    {
        const std::lock_guard lock(mutex_);
        if (!free_.empty()) {
            Netlink socket = std::move(free_.back());
            free_.pop_back();
            return Borrowed(*this, std::move(socket));
        }
    }
    Netlink socket = TRY(Netlink::open(protocol_));
    const std::lock_guard lock(mutex_);
    ports_.insert(socket.port());  // before anything is sent from it
    return Borrowed(*this, std::move(socket));
}

bool SocketPool::owns(std::uint32_t port) const {
    const std::lock_guard lock(mutex_);
    return ports_.contains(port);
}

void SocketPool::give(Netlink socket) {
    if (!socket.clean()) return;
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(socket));  // never more than calls ran at once
}

}  // namespace garden::net
