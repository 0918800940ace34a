// The head of every nfnetlink message. Used by nft*.cpp, nflog.cpp and watch.cpp.
#pragma once

#include <arpa/inet.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cstdint>

#include <libmnl/libmnl.h>

namespace garden::net {

inline unsigned message_type(unsigned subsystem, unsigned type) {
    return (subsystem << 8) | type;
}

inline void put_family(nlmsghdr* header, unsigned family, std::uint16_t resource) {
    auto* generic = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    generic->nfgen_family = static_cast<std::uint8_t>(family);
    generic->version = NFNETLINK_V0;
    generic->res_id = htons(resource);
}

}  // namespace garden::net
