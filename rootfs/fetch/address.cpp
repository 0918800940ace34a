#include "rootfs/fetch/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

namespace rootfs {

namespace {

bool is_private_v4(std::uint32_t ip) {
    const auto in = [ip](std::uint32_t network, unsigned bits) {
        return (ip >> (32U - bits)) == (network >> (32U - bits));
    };
    return in(0x00000000U, 8) ||   // 0.0.0.0/8
           in(0x0a000000U, 8) ||   // 10/8
           in(0x64400000U, 10) ||  // 100.64/10, carriers' own
           in(0x7f000000U, 8) ||   // 127/8
           in(0xa9fe0000U, 16) ||  // 169.254/16, cloud metadata lives here
           in(0xac100000U, 12) ||  // 172.16/12
           in(0xc0a80000U, 16) ||  // 192.168/16
           ip >= 0xe0000000U;      // multicast and above
}

bool is_private_v6(const std::array<std::uint8_t, 16>& ip) {
    bool zero_prefix = true;  // ::, ::1 and the old IPv4-compatible form
    for (std::size_t i = 0; i < 10; ++i) zero_prefix = zero_prefix && ip[i] == 0;
    if (zero_prefix) {
        const bool mapped = ip[10] == 0xff && ip[11] == 0xff;
        if (!mapped) return true;
        return is_private_v4(
                (std::uint32_t{ip[12]} << 24U) | (std::uint32_t{ip[13]} << 16U) |
                (std::uint32_t{ip[14]} << 8U) | ip[15]);
    }
    const bool link_local = ip[0] == 0xfe && (ip[1] & 0xc0U) == 0x80;
    const bool unique_local = (ip[0] & 0xfeU) == 0xfc;
    return link_local || unique_local || ip[0] == 0xff;
}

}  // namespace

bool is_private_address(const struct ::sockaddr& address) {
    if (address.sa_family == AF_INET) {
        struct ::sockaddr_in in = {};
        std::memcpy(&in, &address, sizeof in);
        return is_private_v4(ntohl(in.sin_addr.s_addr));
    }
    if (address.sa_family == AF_INET6) {
        struct ::sockaddr_in6 in = {};
        std::memcpy(&in, &address, sizeof in);
        std::array<std::uint8_t, 16> ip{};
        std::memcpy(ip.data(), &in.sin6_addr, ip.size());
        return is_private_v6(ip);
    }
    return true;  // nothing else is the internet
}

bool is_private_address(std::string_view text) {
    const std::string terminated(text);
    struct ::in_addr four = {};
    if (::inet_pton(AF_INET, terminated.c_str(), &four) == 1)
        return is_private_v4(ntohl(four.s_addr));
    std::array<std::uint8_t, 16> six{};
    if (::inet_pton(AF_INET6, terminated.c_str(), six.data()) == 1) return is_private_v6(six);
    return false;
}

}  // namespace rootfs
