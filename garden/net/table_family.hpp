// The two address families as the rules see them: offsets, numbers, names of their sets. Private to
// the files that fill or read the table (table*.cpp).
#pragma once

#include "garden/net/nft.hpp"

#include <linux/if_ether.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace garden::net {

// nft's numbers of data types, six bits each when concatenated.
inline constexpr unsigned kTypeIp4 = 7, kTypeIp6 = 8, kTypeMac = 9, kTypeProtocol = 12,
                          kTypePort = 13, kTypeInterface = 41;
inline constexpr std::size_t kInterfaceLength = 16, kMacLength = 8;

struct Family {
    bool v6 = false;
    std::uint8_t nfproto = NFPROTO_IPV4;
    std::uint16_t ethertype = ETH_P_IP;
    unsigned source = 12, destination = 16, length = 4;
    const char* egress = "egress4";
    const char* bound = "bound4";
    const char* deny = "deny4";
    const char* metadata = "metadata4";
    const char* resolver = "resolver4";
    const char* ports = "ports4";
    const char* rates = "rates4";
    const char* connections = "connections4";
    unsigned conntrack_destination = NFT_CT_DST_IP;
};

inline constexpr Family kV4{};
inline constexpr Family kV6{
        .v6 = true,
        .nfproto = NFPROTO_IPV6,
        .ethertype = ETH_P_IPV6,
        .source = 8,
        .destination = 24,
        .length = 16,
        .egress = "egress6",
        .bound = "bound6",
        .deny = "deny6",
        .metadata = "metadata6",
        .resolver = "resolver6",
        .ports = "ports6",
        .rates = "rates6",
        .connections = "connections6",
        .conntrack_destination = NFT_CT_DST_IP6};

inline Element address_element(const Address& address) {
    return Element{.key = {address.bytes.begin(), address.bytes.begin() + address.length}};
}

inline Rule of_family(const Family& family) {
    Rule rule;
    rule.meta(NFT_META_NFPROTO).equals(std::array{family.nfproto});
    return rule;
}

inline Rule& source(Rule& rule, const Family& family) {
    return rule.payload(Layer::network, family.source, family.length);
}

inline Rule& destination(Rule& rule, const Family& family) {
    return rule.payload(Layer::network, family.destination, family.length);
}

}  // namespace garden::net
