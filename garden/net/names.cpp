#include "garden/net/names.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace garden::net {

namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

std::string end_of_pair(std::string_view tag, std::string_view id, char end) {
    std::string name = "w";
    name.append(tag).append(id);
    if (tag.size() < kMaxTagLength) name.push_back('-');
    name.push_back(end);
    return name;
}

std::string bridge_prefix(std::string_view tag) {
    std::string prefix = "w";
    prefix.append(tag).append(tag.size() < kMaxTagLength ? "brdg-" : "brd-");
    return prefix;
}

Mac mac_of(std::uint8_t kind, const Address& address) {
    return Mac{0x02, kind, address.bytes[0], address.bytes[1], address.bytes[2], address.bytes[3]};
}

}  // namespace

std::string lease_id(std::uint64_t counter) {
    std::string id(kIdLength, 'a');
    for (std::size_t i = kIdLength; i-- > 0; counter >>= 5) id[i] = kAlphabet[counter & 31];
    return id;
}

bool is_lease_id(std::string_view text) {
    return text.size() == kIdLength && text.find_first_not_of(kAlphabet) == std::string_view::npos;
}

std::string host_interface(std::string_view tag, std::string_view id) {
    return end_of_pair(tag, id, '0');
}

std::string container_interface(std::string_view tag, std::string_view id) {
    return end_of_pair(tag, id, '1');
}

std::string bridge_interface(std::string_view tag, const Address& network) {
    return fmt::format("{}{:08x}", bridge_prefix(tag), value4(network));
}

std::optional<std::string> id_of_interface(std::string_view tag, std::string_view name) {
    if (name.size() < 1 + tag.size() + kIdLength) return std::nullopt;
    const std::string_view id = name.substr(1 + tag.size(), kIdLength);
    if (!is_lease_id(id) || name != host_interface(tag, id)) return std::nullopt;
    return std::string(id);
}

bool is_bridge(std::string_view tag, std::string_view name) {
    const std::string prefix = bridge_prefix(tag);
    return name.size() == prefix.size() + 8 && name.starts_with(prefix) &&
           name.find_first_not_of("0123456789abcdef", prefix.size()) == std::string_view::npos;
}

std::string table_name(std::string_view tag) {
    return tag.empty() ? std::string("cloche") : "cloche_" + std::string(tag);
}

std::string ingress_chain(std::string_view id) {
    return "i-" + std::string(id);
}

std::string egress_chain(std::string_view id) {
    return "c-" + std::string(id);
}

std::optional<std::string> id_of_chain(std::string_view name) {
    if (!name.starts_with("i-") && !name.starts_with("c-")) return std::nullopt;
    if (!is_lease_id(name.substr(2))) return std::nullopt;
    return std::string(name.substr(2));
}

std::string allowed_set(std::string_view id, bool v6, unsigned layer) {
    return fmt::format("a{}-{}-{}", v6 ? 6 : 4, id, layer);
}

std::string logged_set(std::string_view id, bool v6, unsigned layer) {
    return fmt::format("l{}-{}-{}", v6 ? 6 : 4, id, layer);
}

std::optional<std::string> id_of_set(std::string_view name) {
    constexpr std::size_t kPrefix = 3;
    if (name.size() < kPrefix + kIdLength + 2 || name[2] != '-') return std::nullopt;
    if ((name[0] != 'a' && name[0] != 'l') || (name[1] != '4' && name[1] != '6'))
        return std::nullopt;
    const std::string_view id = name.substr(kPrefix, kIdLength);
    if (!is_lease_id(id) || name[kPrefix + kIdLength] != '-') return std::nullopt;
    return std::string(id);
}

std::uint32_t interface_group(std::string_view tag) {
    std::uint32_t group = 0x43'4c'00'00;  // "CL"
    for (std::size_t i = 0; i < std::min(tag.size(), kMaxTagLength); ++i) {
        group |= std::uint32_t{static_cast<unsigned char>(tag[i])} << (8 * i);
    }
    return group;
}

std::uint16_t log_group(std::string_view tag) {
    constexpr unsigned kFirst = 0x434c;  // "CL"
    constexpr unsigned kDigits = 37;     // nothing, a-z, 0-9
    unsigned number = 0;
    for (std::size_t i = 0; i < std::min(tag.size(), kMaxTagLength); ++i) {
        const auto c = static_cast<unsigned char>(tag[i]);
        number = number * kDigits + (c >= 'a' && c <= 'z' ? c - 'a' + 1U : c - '0' + 27U);
    }
    return static_cast<std::uint16_t>(kFirst + number);
}

Mac gateway_mac(const Address& gateway) {
    return mac_of(0xc0, gateway);
}

Mac container_mac(const Address& container) {
    return mac_of(0xc1, container);
}

Address link_local(const Mac& mac) {
    Address address;
    address.length = 16;
    address.bytes = {0xfe, 0x80,   0,      0,    0,    0,      0,      0,
                     0,    mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    address.bytes[8] = static_cast<std::uint8_t>(mac[0] ^ 0x02);
    return address;
}

}  // namespace garden::net
