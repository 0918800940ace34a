// The first bytes of a packet, as fields. Reads what a container wrote, so every length is checked
// (tests/fuzz/nflog_packet.cpp). Pure. Used by nflog.cpp.
#pragma once

#include "garden/net/evidence.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace garden::net {

// `packet` begins at the network header and may be cut anywhere; `ethertype` is the kernel's word.
PacketFields parse_packet(std::span<const std::uint8_t> packet, std::uint16_t ethertype);

// "02:c1:0a:fe:00:02" of a link header, "" when it is too short to have one.
std::string source_mac(std::span<const std::uint8_t> link_header);

}  // namespace garden::net
