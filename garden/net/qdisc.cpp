#include "garden/net/qdisc.hpp"

#include <sys/socket.h>

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <limits>

namespace garden::net {

namespace {

constexpr std::uint32_t kHandle = 0x10000;  // 1:0
constexpr std::uint64_t kQueueShare = 10;   // what may wait: a tenth of a second
constexpr std::uint64_t kLeastQueue = 64 * 1024;

}  // namespace

void put_token_bucket(Messages& messages, int index, const Shaping& shaping) {
    const bool limited = shaping.rate != 0;
    const unsigned flags = limited ? NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE : NLM_F_ACK;
    const unsigned type = limited ? RTM_NEWQDISC : RTM_DELQDISC;
    messages.add("limit the bandwidth", type, flags, [&](nlmsghdr* header) {
        auto* info = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(tcmsg)));
        info->tcm_family = AF_UNSPEC;
        info->tcm_ifindex = index;
        info->tcm_parent = TC_H_ROOT;
        if (!limited) return;
        info->tcm_handle = kHandle;
        constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
        const std::uint64_t queue =
                shaping.burst + std::max(shaping.rate / kQueueShare, kLeastQueue);
        tc_tbf_qopt options{};
        options.rate.linklayer = TC_LINKLAYER_ETHERNET;
        options.rate.rate = static_cast<std::uint32_t>(std::min(shaping.rate, kMost));
        options.limit = static_cast<std::uint32_t>(std::min(queue, kMost));
        mnl_attr_put_strz(header, TCA_KIND, "tbf");
        nlattr* nest = mnl_attr_nest_start(header, TCA_OPTIONS);
        mnl_attr_put(header, TCA_TBF_PARMS, sizeof options, &options);
        mnl_attr_put_u64(header, TCA_TBF_RATE64, shaping.rate);
        mnl_attr_put_u32(header, TCA_TBF_BURST, shaping.burst);
        mnl_attr_nest_end(header, nest);
    });
}

}  // namespace garden::net
