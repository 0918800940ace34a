#include "garden/net/address.hpp"

#include "base/fail.hpp"
#include "base/parse.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace garden::net {

namespace {

constexpr std::size_t kMaxText = 64;

// The address with every bit below `prefix` set to `bit`.
Address fill(Address address, std::uint8_t prefix, bool bit) {
    for (unsigned i = prefix; i < unsigned{address.length} * 8; ++i) {
        const auto mask = static_cast<std::uint8_t>(0x80U >> (i % 8));
        auto& byte = address.bytes[i / 8];
        byte = static_cast<std::uint8_t>(
                bit ? byte | mask : byte & static_cast<std::uint8_t>(~mask));
    }
    return address;
}

}  // namespace

base::Result<Address> parse_address(std::string_view text) {
    Address address;
    const std::string copy(text.substr(0, kMaxText));
    if (text.size() < kMaxText && text.find('\0') == std::string_view::npos) {
        if (::inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) return address;
        address.length = 16;
        if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
    }
    return base::fail(base::Errc::invalid, "invalid IP address: {}", copy);
}

base::Result<Cidr> parse_cidr(std::string_view text) {
    const auto bad = [&] {
        return base::fail(
                base::Errc::invalid, "invalid CIDR address: {}", text.substr(0, kMaxText));
    };
    const auto slash = text.find('/');
    auto address = parse_address(text.substr(0, slash));
    if (!address) return bad();
    Cidr cidr;
    cidr.address = *address;
    cidr.prefix = static_cast<std::uint8_t>(address->length * 8);
    if (slash != std::string_view::npos) {
        auto prefix = base::parse_number<std::uint8_t>(text.substr(slash + 1), "prefix");
        if (!prefix || *prefix > cidr.prefix) return bad();
        cidr.prefix = *prefix;
    }
    cidr.network = fill(cidr.address, cidr.prefix, false);
    return cidr;
}

std::string to_string(const Address& address) {
    char text[INET6_ADDRSTRLEN] = {};
    (void)::inet_ntop(
            address.is_v6() ? AF_INET6 : AF_INET, address.bytes.data(), text, sizeof text);
    return text;
}

std::string to_string(const Cidr& cidr) {
    return to_string(cidr.network) + "/" + std::to_string(unsigned{cidr.prefix});
}

Address plus(const Address& base, std::uint64_t offset) {
    Address result = base;
    for (std::size_t i = base.length; i-- > 0 && offset != 0;) {
        const std::uint64_t sum = result.bytes[i] + (offset & 0xff);
        result.bytes[i] = static_cast<std::uint8_t>(sum);
        offset = (offset >> 8) + (sum >> 8);
    }
    return result;
}

Address address4(std::uint32_t value) {
    Address address;
    for (std::size_t i = 0; i < 4; ++i)
        address.bytes[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
    return address;
}

std::uint32_t value4(const Address& address) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = (value << 8) | address.bytes[i];
    return value;
}

Range range_of(const Cidr& cidr) {
    return Range{.first = cidr.network, .last = fill(cidr.network, cidr.prefix, true)};
}

bool contains(const Cidr& cidr, const Address& address) {
    return address.length == cidr.network.length &&
           fill(address, cidr.prefix, false) == cidr.network;
}

bool overlap(const Cidr& a, const Cidr& b) {
    return contains(a, b.network) || contains(b, a.network);
}

std::vector<Range> merged(std::vector<Range> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
        return a.first < b.first;
    });
    std::vector<Range> result;
    for (const Range& range : ranges) {
        // plus() wraps at the top of the family: then nothing can follow anyway.
        if (!result.empty() &&
            (range.first <= result.back().last || range.first == plus(result.back().last, 1))) {
            result.back().last = std::max(result.back().last, range.last);
        } else {
            result.push_back(range);
        }
    }
    return result;
}

}  // namespace garden::net
