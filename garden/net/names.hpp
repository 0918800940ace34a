// Names that we give to kernel objects: lease ids, interfaces, bridges, chains, MAC addresses, the
// interface group. Everything is generated here; no text of a client reaches the rule set (NET-17).
// Used by garden/net.
#pragma once

#include "garden/net/address.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace garden::net {

inline constexpr std::size_t kIdLength = 11;
inline constexpr std::size_t kMaxTagLength = 2;

using Mac = std::array<std::uint8_t, 6>;

// 11 characters a-z2-7 of the low 55 bits.
std::string lease_id(std::uint64_t counter);
bool is_lease_id(std::string_view text);

// "w<tag><id>-0" as in garden-behaviours C.2; with a two-character tag the dash goes (15 characters
// are the kernel's limit).
std::string host_interface(std::string_view tag, std::string_view id);
std::string container_interface(std::string_view tag, std::string_view id);
std::string bridge_interface(std::string_view tag, const Address& network);
// The lease id in the name of one of our host interfaces.
std::optional<std::string> id_of_interface(std::string_view tag, std::string_view name);
bool is_bridge(std::string_view tag, std::string_view name);

std::string table_name(std::string_view tag);
std::string ingress_chain(std::string_view id);  // anti-spoofing, at the device
std::string egress_chain(std::string_view id);   // the container's rules
std::optional<std::string> id_of_chain(std::string_view name);
// What a container's rules are elements of, by layer: what it may reach, what of that is logged.
std::string allowed_set(std::string_view id, bool v6, unsigned layer);  // "a4-<id>-1"
std::string logged_set(std::string_view id, bool v6, unsigned layer);   // "l4-<id>-1"
std::optional<std::string> id_of_set(std::string_view name);

// Every host interface of ours is in this group: rules match the number, not a name prefix that
// "wlan0" shares.
std::uint32_t interface_group(std::string_view tag);

// The NFLOG group of a daemon: every tag has one of its own, so that daemons do not read each
// other's containers (NET-07).
std::uint16_t log_group(std::string_view tag);

// Locally administered, from the address: nothing to store, unique where it matters.
Mac gateway_mac(const Address& gateway);
Mac container_mac(const Address& container);
Address link_local(const Mac& mac);  // EUI-64

}  // namespace garden::net
