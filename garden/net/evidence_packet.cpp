#include "garden/net/evidence_packet.hpp"

#include <netinet/in.h>

#include <linux/if_ether.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace garden::net {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kHeader4 = 20, kHeader6 = 40, kArp4 = 28;
constexpr int kMaxExtensions = 8;  // more than any honest packet has

std::uint16_t number16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>((bytes[at] << 8) | bytes[at + 1]);
}

Address address_at(Bytes bytes, std::size_t at, std::uint8_t length) {
    Address address;
    address.length = length;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), length, address.bytes.begin());
    return address;
}

std::string protocol_name(std::uint8_t number) {
    switch (number) {
        case IPPROTO_TCP:
            return "tcp";
        case IPPROTO_UDP:
            return "udp";
        case IPPROTO_ICMP:
            return "icmp";
        case IPPROTO_ICMPV6:
            return "icmpv6";
        case IPPROTO_SCTP:
            return "sctp";
        case IPPROTO_UDPLITE:
            return "udplite";
        default:  // a number of the wire, not an enum
            return fmt::format("ip/{}", number);
    }
}

bool has_ports(std::uint8_t number) {
    constexpr std::array<std::uint8_t, 5> kPorts = {
            IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_DCCP, IPPROTO_UDPLITE};
    return std::find(kPorts.begin(), kPorts.end(), number) != kPorts.end();
}

void read_transport(PacketFields& out, std::uint8_t number, Bytes rest) {
    out.protocol = protocol_name(number);
    if (has_ports(number) && rest.size() >= 4) {
        out.source_port = number16(rest, 0);
        out.destination_port = number16(rest, 2);
    } else if ((number == IPPROTO_ICMP || number == IPPROTO_ICMPV6) && rest.size() >= 2) {
        out.icmp_type = rest[0];
        out.icmp_code = rest[1];
    }
}

void read_ip4(PacketFields& out, Bytes packet) {
    out.protocol = "ip";
    if (packet.size() < kHeader4 || packet[0] >> 4 != 4) return;
    out.source = address_at(packet, 12, 4);
    out.destination = address_at(packet, 16, 4);
    out.protocol = protocol_name(packet[9]);
    const std::size_t header = std::size_t{packet[0] & 0x0fU} * 4;
    const bool later_fragment = (number16(packet, 6) & 0x1fff) != 0;  // has no transport header
    if (header < kHeader4 || header > packet.size() || later_fragment) return;
    read_transport(out, packet[9], packet.subspan(header));
}

void read_ip6(PacketFields& out, Bytes packet) {
    out.protocol = "ipv6";
    if (packet.size() < kHeader6 || packet[0] >> 4 != 6) return;
    out.source = address_at(packet, 8, 16);
    out.destination = address_at(packet, 24, 16);
    std::uint8_t next = packet[6];
    Bytes rest = packet.subspan(kHeader6);
    for (int i = 0; i < kMaxExtensions; ++i) {
        const bool options =
                next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
        if (!options && next != IPPROTO_FRAGMENT) break;
        out.protocol = protocol_name(next);
        if (rest.size() < 8) return;
        const bool later_fragment = next == IPPROTO_FRAGMENT && (number16(rest, 2) & 0xfff8) != 0;
        const std::size_t length = options ? (std::size_t{rest[1]} + 1) * 8 : 8;
        next = rest[0];
        if (length > rest.size() || later_fragment) {
            out.protocol = protocol_name(next);
            return;
        }
        rest = rest.subspan(length);
    }
    read_transport(out, next, rest);
}

void read_arp(PacketFields& out, Bytes packet) {
    out.protocol = "arp";
    // Ethernet and IPv4 are the only ones whose lengths are known beforehand.
    if (packet.size() < kArp4 || packet[4] != 6 || packet[5] != 4) return;
    out.source = address_at(packet, 14, 4);
    out.destination = address_at(packet, 24, 4);
}

}  // namespace

PacketFields parse_packet(std::span<const std::uint8_t> packet, std::uint16_t ethertype) {
    PacketFields out;
    if (ethertype == ETH_P_IP) {
        read_ip4(out, packet);
    } else if (ethertype == ETH_P_IPV6) {
        read_ip6(out, packet);
    } else if (ethertype == ETH_P_ARP) {
        read_arp(out, packet);
    } else {
        out.protocol = fmt::format("ethertype/0x{:04x}", ethertype);
    }
    return out;
}

std::string source_mac(std::span<const std::uint8_t> link_header) {
    constexpr std::size_t kAddress = 6;
    if (link_header.size() < 2 * kAddress) return "";
    return fmt::format("{:02x}", fmt::join(link_header.subspan(kAddress, kAddress), ":"));
}

}  // namespace garden::net
