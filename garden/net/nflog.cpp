#include "garden/net/nflog.hpp"

#include "base/fail.hpp"
#include "garden/net/evidence_packet.hpp"
#include "garden/net/nft_message.hpp"

#include <linux/netfilter/nfnetlink_log.h>

#include <array>

namespace garden::net {

namespace {

constexpr int kRoom = 4 << 20;
constexpr std::uint32_t kSnapLength = 128;
constexpr std::uint32_t kFlushHundredths =
        5;  // how long the kernel collects records for one message
constexpr std::uint32_t kRecordsPerMessage = 64;
constexpr std::size_t kReadsAtOnce = 256;

using Bytes = std::span<const std::uint8_t>;

struct Attributes {
    std::array<const nlattr*, NFULA_MAX + 1> found{};

    Bytes bytes(unsigned type) const {
        const nlattr* attribute = found.at(type);
        if (attribute == nullptr) return {};
        return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
                mnl_attr_get_payload_len(attribute)};
    }
};

int keep(const nlattr* attribute, void* data) {
    const auto type = mnl_attr_get_type(attribute);
    if (type <= NFULA_MAX) static_cast<Attributes*>(data)->found.at(type) = attribute;
    return MNL_CB_OK;
}

template <class Fill>
void configure(Messages& messages, const char* what, std::uint16_t group, Fill fill) {
    messages.add(
            what, message_type(NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG), NLM_F_ACK,
            [&](nlmsghdr* header) {
                put_family(header, AF_UNSPEC, group);
                fill(header);
            });
}

}  // namespace

base::Result<Nflog> Nflog::open(std::uint16_t group) {
    NetlinkListener listener = TRY(NetlinkListener::open(kRoom));
    Messages messages;
    configure(messages, "bind the log group", group, [](nlmsghdr* header) {
        const nfulnl_msg_config_cmd command{.command = NFULNL_CFG_CMD_BIND};
        mnl_attr_put(header, NFULA_CFG_CMD, sizeof command, &command);
    });
    configure(messages, "configure the log group", group, [](nlmsghdr* header) {
        nfulnl_msg_config_mode mode{};
        mode.copy_range = htonl(kSnapLength);
        mode.copy_mode = NFULNL_COPY_PACKET;
        mnl_attr_put(header, NFULA_CFG_MODE, sizeof mode, &mode);
        mnl_attr_put_u32(header, NFULA_CFG_TIMEOUT, htonl(kFlushHundredths));
        mnl_attr_put_u32(header, NFULA_CFG_QTHRESH, htonl(kRecordsPerMessage));
        mnl_attr_put_u16(header, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
    });
    auto bound = listener.ask(messages);
    if (!bound && bound.error().sys == EBUSY) {
        return base::fail(
                base::Errc::conflict, "log group {}: another program reads it already", group);
    }
    if (!bound) return std::move(bound.error()).context(base::format("log group {}", group));
    return Nflog(std::move(listener));
}

void Nflog::take(const nlmsghdr* header, ConnectionLog& log) {
    if (header->nlmsg_type != message_type(NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET)) return;
    if (mnl_nlmsg_get_payload_len(header) < sizeof(nfgenmsg)) return;
    Attributes attributes;
    (void)mnl_attr_parse(header, sizeof(nfgenmsg), keep, &attributes);
    const Bytes sequence = attributes.bytes(NFULA_SEQ);
    if (sequence.size() == sizeof(std::uint32_t)) {
        const std::uint32_t number = ntohl(mnl_attr_get_u32(attributes.found.at(NFULA_SEQ)));
        if (next_) log.note_lost(std::uint32_t{number - *next_});  // wraps as the kernel's does
        next_ = number + 1;
    }
    const Bytes prefix = attributes.bytes(NFULA_PREFIX);
    const Bytes about = attributes.bytes(NFULA_PACKET_HDR);
    if (prefix.empty() || about.size() < 2) return;
    LogRecord record;
    record.prefix.assign(prefix.begin(), prefix.end());
    while (record.prefix.ends_with('\0')) record.prefix.pop_back();
    const auto ethertype = static_cast<std::uint16_t>((about[0] << 8) | about[1]);
    record.packet = parse_packet(attributes.bytes(NFULA_PAYLOAD), ethertype);
    if (record.prefix.ends_with("forged "))
        record.source_mac = source_mac(attributes.bytes(NFULA_HWHEADER));
    log.note(record, std::chrono::system_clock::now());
}

base::Result<bool> Nflog::drain(ConnectionLog& log) {
    // What an overrun took shows in the sequence numbers.
    const auto drained =
            TRY(listener_.drain(kReadsAtOnce, [&](const nlmsghdr* header) { take(header, log); }));
    return drained.more;
}

}  // namespace garden::net
