#include "garden/net/conntrack.hpp"

#include "garden/net/nft_message.hpp"

#include <netinet/in.h>  // before the kernel headers: they then leave its names alone

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace garden::net {

namespace {

constexpr std::uint32_t kMatchSource = 1;  // the kernel's bit in CTA_FILTER_*_FLAGS (5.8)
// Each message has an answer, and the socket's buffer must hold all of them.
constexpr std::size_t kAtOnce = 64;

template <std::size_t N>
using Attributes = std::array<const nlattr*, N>;

template <std::size_t N>
int keep(const nlattr* attribute, void* data) {
    auto& table = *static_cast<Attributes<N>*>(data);
    const auto type = mnl_attr_get_type(attribute);
    if (type < N) table.at(type) = attribute;
    return MNL_CB_OK;
}

template <std::size_t N>
Attributes<N> nested(const nlattr* attribute) {
    Attributes<N> table{};
    if (attribute != nullptr) (void)mnl_attr_parse_nested(attribute, keep<N>, &table);
    return table;
}

bool read_address(const nlattr* attribute, bool v6, Address& address) {
    address.length = v6 ? 16 : 4;
    if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != address.length) return false;
    std::memcpy(address.bytes.data(), mnl_attr_get_payload(attribute), address.length);
    return true;
}

using Tuple = Attributes<CTA_TUPLE_MAX + 1>;

bool read_source(const nlattr* tuple, bool v6, Address& address) {
    const Tuple parts = nested<CTA_TUPLE_MAX + 1>(tuple);
    const auto ip = nested<CTA_IP_MAX + 1>(parts.at(CTA_TUPLE_IP));
    return read_address(ip.at(v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC), v6, address);
}

bool read_call(const nlattr* tuple, bool v6, Call& call) {
    const Tuple parts = nested<CTA_TUPLE_MAX + 1>(tuple);
    const auto ip = nested<CTA_IP_MAX + 1>(parts.at(CTA_TUPLE_IP));
    const auto protocol = nested<CTA_PROTO_MAX + 1>(parts.at(CTA_TUPLE_PROTO));
    if (!read_address(ip.at(v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST), v6, call.address)) return false;
    const auto byte = [&](std::size_t type) -> std::uint8_t {
        return protocol.at(type) == nullptr ? std::uint8_t{0} : mnl_attr_get_u8(protocol.at(type));
    };
    call.protocol = byte(CTA_PROTO_NUM);
    if (protocol.at(CTA_PROTO_DST_PORT) != nullptr)
        call.port = ntohs(mnl_attr_get_u16(protocol.at(CTA_PROTO_DST_PORT)));
    call.icmp_type = byte(v6 ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE);
    call.icmp_code = byte(v6 ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE);
    return true;
}

void append_whole(std::vector<std::uint8_t>& name, const nlattr* attribute) {
    if (attribute == nullptr) return;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(attribute);
    name.insert(name.end(), bytes, bytes + MNL_ALIGN(attribute->nla_len));
}

// `wanted`: nullptr for everybody.
base::Result<std::vector<Flow>> list(
        Netlink& netfilter, bool v6, const std::set<Address>* wanted, Side side) {
    const Address* only = wanted != nullptr && wanted->size() == 1 ? &*wanted->begin() : nullptr;
    const bool opened = side == Side::opened;
    Messages request;
    request.add(
            "list connections", message_type(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET), NLM_F_DUMP,
            [&](nlmsghdr* header) {
                put_family(header, v6 ? NFPROTO_IPV6 : NFPROTO_IPV4, 0);
                // The kernel's filter of IPv6 addresses leaves out the very ones that are equal
                // (seen with 6.18): all are listed then.
                if (v6 || only == nullptr) return;
                nlattr* tuple =
                        mnl_attr_nest_start(header, opened ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY);
                nlattr* ip = mnl_attr_nest_start(header, CTA_TUPLE_IP);
                mnl_attr_put(header, CTA_IP_V4_SRC, only->length, only->bytes.data());
                mnl_attr_nest_end(header, ip);
                mnl_attr_nest_end(header, tuple);
                nlattr* filter = mnl_attr_nest_start(header, CTA_FILTER);
                mnl_attr_put_u32(
                        header, opened ? CTA_FILTER_ORIG_FLAGS : CTA_FILTER_REPLY_FLAGS,
                        kMatchSource);
                mnl_attr_nest_end(header, filter);
            });
    std::vector<Flow> flows;
    const auto each = [&](const nlmsghdr* header) {
        Attributes<CTA_MAX + 1> parts{};
        (void)mnl_attr_parse(header, sizeof(nfgenmsg), keep<CTA_MAX + 1>, &parts);
        Flow flow;
        // The kernel filters for one address at most, and one before 5.8 not at all.
        if (!read_source(parts.at(opened ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY), v6, flow.source) ||
            (wanted != nullptr && !wanted->contains(flow.source)))
            return;
        if (!read_call(parts.at(CTA_TUPLE_ORIG), v6, flow.call)) return;
        append_whole(flow.name, parts.at(CTA_TUPLE_ORIG));
        append_whole(flow.name, parts.at(CTA_ID));
        flows.push_back(std::move(flow));
    };
    TRY(netfilter.dump(
            request, [&] { flows.clear(); }, each));
    return flows;
}

}  // namespace

base::Result<std::vector<Flow>> list_flows(Netlink& netfilter, const Address& address, Side side) {
    return list_flows(netfilter, std::set{address}, side);
}

base::Result<std::vector<Flow>> list_flows(
        Netlink& netfilter, const std::set<Address>& addresses, Side side) {
    if (addresses.empty()) return std::vector<Flow>{};
    return list(netfilter, addresses.begin()->is_v6(), &addresses, side);
}

base::Result<std::vector<Flow>> list_all_flows(Netlink& netfilter, bool v6, Side side) {
    return list(netfilter, v6, nullptr, side);
}

base::Result<void> forget_flows(Netlink& netfilter, std::span<const Flow> flows, bool v6) {
    constexpr std::array kEnded = {ENOENT};
    while (!flows.empty()) {
        const auto some = flows.first(std::min(flows.size(), kAtOnce));
        flows = flows.subspan(some.size());
        Messages messages;
        for (const Flow& flow : some) {
            messages.add(
                    "forget a connection",
                    message_type(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE), NLM_F_ACK,
                    [&](nlmsghdr* header) {
                        put_family(header, v6 ? NFPROTO_IPV6 : NFPROTO_IPV4, 0);
                        std::memcpy(
                                mnl_nlmsg_get_payload_tail(header), flow.name.data(),
                                flow.name.size());
                        header->nlmsg_len += static_cast<std::uint32_t>(flow.name.size());
                    });
        }
        TRY(netfilter.transact(messages, kEnded));
    }
    return base::ok;
}

}  // namespace garden::net
