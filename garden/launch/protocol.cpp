#include "garden/launch/protocol.hpp"

#include "base/sys/error.hpp"
#include "base/sys/file.hpp"
#include "base/sys/seqpacket.hpp"
#include "garden/launch/codec.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace garden::launch {

namespace {

constexpr std::size_t kInline = 32U << 10;  // larger bodies go by memory file
constexpr std::size_t kMaxDatagram = 64U << 10;
constexpr std::uint32_t kMagic = 0x314d4853;  // "SHM1"

struct Head {
    std::uint32_t magic = kMagic;
    std::uint8_t version = kProtocolVersion;
    MessageKind kind = MessageKind::reply;
    std::uint16_t in_memory_file = 0;
    std::uint64_t id = 0;
    std::uint32_t size = 0;  // of the body
    std::uint32_t fds = 0;   // of the message, without the memory file
};

base::Result<Head> head_of(std::string_view data) {
    Head head;
    if (data.size() < sizeof head)
        return base::sys::plain_error(base::Errc::corrupt, "message without a head");
    std::memcpy(&head, data.data(), sizeof head);
    if (head.magic != kMagic)
        return base::sys::plain_error(base::Errc::corrupt, "not a message of a shim");
    if (head.version != kProtocolVersion) {
        return base::sys::plain_error(
                base::Errc::unsupported, "the shim speaks protocol " +
                                                 std::to_string(head.version) + ", not " +
                                                 std::to_string(kProtocolVersion));
    }
    if (head.kind < MessageKind::prepare || head.kind > MessageKind::more) {
        return base::sys::plain_error(base::Errc::corrupt, "unknown kind of message");
    }
    if (head.size > kMaxPlanBytes || head.fds > kMaxPlanFds || head.in_memory_file > 1) {
        return base::sys::plain_error(base::Errc::corrupt, "message above the limits");
    }
    return head;
}

base::Result<std::string> read_body(base::FdRef file, std::size_t size) {
    std::string body(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        const ssize_t n =
                ::pread(file.get(), body.data() + done, size - done, static_cast<off_t>(done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return base::sys::errno_error("read the body of a message");
        if (n == 0)
            return base::sys::plain_error(
                    base::Errc::corrupt, "the body of a message is too short");
        done += static_cast<std::size_t>(n);
    }
    return body;
}

}  // namespace

base::Result<void> send_frame(
        base::FdRef socket,
        MessageKind kind,
        std::uint64_t id,
        std::string_view body,
        std::span<const base::FdRef> fds) {
    using base::sys::kMaxMessageFds;
    if (body.size() > kMaxPlanBytes) {
        return base::sys::plain_error(
                base::Errc::invalid, "a plan of " + std::to_string(body.size()) +
                                             " bytes is more than " +
                                             std::to_string(kMaxPlanBytes));
    }
    if (fds.size() > kMaxPlanFds) {
        return base::sys::plain_error(
                base::Errc::invalid, std::to_string(fds.size()) + " descriptors are more than " +
                                             std::to_string(kMaxPlanFds));
    }
    Head head;
    head.kind = kind;
    head.id = id;
    head.size = static_cast<std::uint32_t>(body.size());
    head.fds = static_cast<std::uint32_t>(fds.size());
    head.in_memory_file = body.size() > kInline ? 1 : 0;
    base::Fd file;
    std::vector<base::FdRef> batch;
    if (head.in_memory_file != 0) {
        file = TRY(base::sys::sealed_memory_file("plan", body, false));
        batch.emplace_back(file);
    }
    std::string data(reinterpret_cast<const char*>(&head), sizeof head);
    if (head.in_memory_file == 0) data += body;
    for (;;) {
        const std::size_t count = std::min(fds.size(), kMaxMessageFds - batch.size());
        batch.insert(batch.end(), fds.begin(), fds.begin() + static_cast<std::ptrdiff_t>(count));
        fds = fds.subspan(count);
        TRY(base::sys::send_message(socket, data, batch));
        if (fds.empty()) return base::ok;
        batch.clear();
        head.kind = MessageKind::more;
        data.assign(reinterpret_cast<const char*>(&head), sizeof head);
    }
}

base::Result<Frame> receive_frame(base::FdRef socket, bool wait) {
    auto message = TRY(base::sys::receive_message(socket, kMaxDatagram, wait));
    const Head head = TRY(head_of(message.data));
    Frame frame{.kind = head.kind, .id = head.id, .body = {}, .fds = std::move(message.fds)};
    if (head.in_memory_file != 0) {
        if (frame.fds.empty())
            return base::sys::plain_error(base::Errc::corrupt, "message lost its body");
        frame.body = TRY(read_body(frame.fds.front(), head.size));
        frame.fds.erase(frame.fds.begin());
    } else {
        frame.body = message.data.substr(sizeof head);
        if (frame.body.size() != head.size)
            return base::sys::plain_error(base::Errc::corrupt, "message has a wrong size");
    }
    while (frame.fds.size() < head.fds) {
        // The sender sends the parts of one message without a pause.
        auto next = TRY(base::sys::receive_message(socket, kMaxDatagram, true));
        const Head more = TRY(head_of(next.data));
        if (more.kind != MessageKind::more || more.id != head.id || next.fds.empty()) {
            return base::sys::plain_error(base::Errc::corrupt, "message lost descriptors");
        }
        for (auto& fd : next.fds) frame.fds.push_back(std::move(fd));
    }
    if (frame.fds.size() != head.fds)
        return base::sys::plain_error(base::Errc::corrupt, "message has too many descriptors");
    return frame;
}

}  // namespace garden::launch
