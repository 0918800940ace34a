#include "garden/net/watch.hpp"

#include "base/fail.hpp"
#include "garden/net/nft_message.hpp"

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <string_view>

namespace garden::net {

namespace {

constexpr int kRoom = 8 << 20;  // a security group of thousands of rules is one burst
constexpr std::size_t kReadsAtOnce = 4096;

struct Found {
    std::string_view table;    // attribute 1 of every object's message is its table …
    std::string_view program;  // … and of the end of a transaction, 2 and 3 say who
    std::uint32_t process = 0;
};

std::string_view text_of(const nlattr* attribute) {
    if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0) return "";
    return mnl_attr_get_str(attribute);
}

int read_object(const nlattr* attribute, void* data) {
    static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1);
    static_assert(NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1);
    auto* found = static_cast<Found*>(data);
    if (mnl_attr_get_type(attribute) == NFTA_TABLE_NAME) found->table = text_of(attribute);
    return MNL_CB_OK;
}

int read_end(const nlattr* attribute, void* data) {
    auto* found = static_cast<Found*>(data);
    if (mnl_attr_get_type(attribute) == NFTA_GEN_PROC_NAME) found->program = text_of(attribute);
    if (mnl_attr_get_type(attribute) == NFTA_GEN_PROC_PID &&
        mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
        found->process = ntohl(mnl_attr_get_u32(attribute));
    return MNL_CB_OK;
}

const char* change_of(unsigned type) {
    switch (type) {
        case NFT_MSG_DELTABLE:
            return "the table was deleted";
        case NFT_MSG_DELCHAIN:
            return "a chain was deleted";
        case NFT_MSG_DELRULE:
            return "a rule was deleted";
        case NFT_MSG_DELSET:
            return "a set was deleted";
        case NFT_MSG_DELSETELEM:
            return "a set element was deleted";
        case NFT_MSG_NEWRULE:
            return "a rule was added";
        case NFT_MSG_NEWSETELEM:
            return "a set element was added";
        default:  // a number of the wire, not an enum
            return "the table was changed";
    }
}

}  // namespace

base::Result<RuleWatch> RuleWatch::open(std::string table, Ours ours) {
    NetlinkListener listener = TRY(NetlinkListener::open(kRoom));
    TRY(listener.join(NFNLGRP_NFTABLES));
    return RuleWatch(std::move(listener), std::move(table), std::move(ours));
}

void RuleWatch::take(const nlmsghdr* header, Seen& seen) {
    if (header->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES) return;
    if (mnl_nlmsg_get_payload_len(header) < sizeof(nfgenmsg)) return;
    const std::uint32_t port = header->nlmsg_pid;
    // 0 is the kernel itself: an interface went, and its chain with it.
    if (port == 0 || ours_(port)) return;
    const unsigned type = header->nlmsg_type & 0xffU;
    Found found;
    if (type == NFT_MSG_NEWGEN) {
        if (actor_ != port) return;
        (void)mnl_attr_parse(header, sizeof(nfgenmsg), read_end, &found);
        seen.foreign = base::format("{} by {} (pid {})", what_, found.program, found.process);
        actor_ = 0;
        return;
    }
    const auto* generic = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(header));
    if (generic->nfgen_family != NFPROTO_INET && generic->nfgen_family != NFPROTO_NETDEV) return;
    (void)mnl_attr_parse(header, sizeof(nfgenmsg), read_object, &found);
    if (found.table != table_) return;
    // Of a whole transaction the deletion of the table says most, and comes last.
    if (actor_ != port || type == NFT_MSG_DELTABLE) what_ = change_of(type);
    actor_ = port;
}

base::Result<RuleWatch::Seen> RuleWatch::drain() {
    Seen seen;
    const auto drained =
            TRY(listener_.drain(kReadsAtOnce, [&](const nlmsghdr* header) { take(header, seen); }));
    seen.missed = drained.overrun;
    seen.more = drained.more;
    // The end of that transaction may be among what was dropped.
    if (seen.missed) actor_ = 0;
    return seen;
}

}  // namespace garden::net
