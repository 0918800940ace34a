// IPv4 and IPv6 addresses and CIDR blocks as values: parsing, printing, arithmetic. Pure. Used by
// garden/net and its tests.
#pragma once

#include "base/result.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace garden::net {

// One address of either family, big-endian bytes: what the kernel wants and what sorts correctly.
struct Address {
    std::array<std::uint8_t, 16> bytes{};
    std::uint8_t length = 4;  // 4 or 16

    bool is_v6() const { return length == 16; }

    friend auto operator<=>(const Address&, const Address&) = default;  // NOLINT: clang-tidy 14
};

struct Cidr {
    Address network;  // host bits zero
    Address address;  // as written
    std::uint8_t prefix = 32;

    friend bool operator==(const Cidr& a, const Cidr& b) {
        return a.network == b.network && a.prefix == b.prefix;
    }
};

// First and last address of a block, both inside.
struct Range {
    Address first;
    Address last;
};

base::Result<Address> parse_address(std::string_view text);
// "a.b.c.d/n" or "x::y/n"; a plain address is a block of one. Errc::invalid "invalid CIDR address:
// <text>".
base::Result<Cidr> parse_cidr(std::string_view text);

std::string to_string(const Address& address);
std::string to_string(const Cidr& cidr);  // the network, not the address
// The address `offset` above `base`; wraps at the end of the family.
Address plus(const Address& base, std::uint64_t offset);
Address address4(std::uint32_t value);
std::uint32_t value4(const Address& address);
Range range_of(const Cidr& cidr);
bool contains(const Cidr& cidr, const Address& address);
bool overlap(const Cidr& a, const Cidr& b);
// Sorted, disjoint, neighbours joined: what an nft interval set accepts. All of one family.
std::vector<Range> merged(std::vector<Range> ranges);

}  // namespace garden::net
