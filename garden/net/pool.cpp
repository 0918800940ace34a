#include "garden/net/pool.hpp"

#include "base/fail.hpp"
#include "garden/net/names.hpp"

#include <algorithm>

namespace garden::net {

using base::Errc;

namespace {

constexpr std::uint8_t kMinPrefix = 8;  // 4 million /30: half a megabyte of bits
constexpr std::uint8_t kSlotPrefix = 30;
constexpr std::uint8_t kSlotPrefix6 = 126;
constexpr std::uint8_t kMaxSlotBits6 = 22;  // as many as the largest IPv4 pool

std::uint64_t slot_of(const Cidr& range, const Address& network) {
    return (value4(network) - value4(range.network)) / 4;
}

std::uint64_t slot6_of(const Address& network) {
    std::uint64_t low = 0;
    for (std::size_t i = 8; i < 16; ++i) low = (low << 8) | network.bytes[i];
    return low;
}

Cidr block(const Address& network, std::uint8_t prefix) {
    return Cidr{.network = network, .address = network, .prefix = prefix};
}

// Loopback, multicast and "this network" would take the host's own traffic.
bool unusable(const Cidr& cidr) {
    const std::uint8_t first = cidr.network.bytes[0];
    return first == 0 || first == 127 || first >= 224 || cidr.prefix < kMinPrefix;
}

}  // namespace

std::optional<std::uint64_t> Slots::take() {
    while (lowest_ < used_.size() && used_[lowest_]) ++lowest_;
    if (lowest_ == used_.size()) return std::nullopt;
    used_[lowest_] = true;
    --free_;
    return lowest_++;
}

bool Slots::take(std::uint64_t slot) {
    if (slot >= used_.size() || used_[slot]) return false;
    used_[slot] = true;
    --free_;
    return true;
}

void Slots::give(std::uint64_t slot) {
    if (slot >= used_.size() || !used_[slot]) return;
    used_[slot] = false;
    ++free_;
    lowest_ = std::min(lowest_, slot);
}

base::Result<Cidr> parse_request(std::string_view request) {
    std::string text(request.substr(0, 64));
    if (text.find('/') == std::string::npos) text += "/30";
    Cidr cidr = TRY(parse_cidr(text));
    if (cidr.network.is_v6()) {
        return base::fail(
                Errc::invalid, "invalid CIDR address: {}: a requested network is IPv4", text);
    }
    if (cidr.prefix > kSlotPrefix || unusable(cidr)) {
        return base::fail(
                Errc::invalid,
                "the requested subnet ({}) cannot be used: a unicast network from /{} to /{} is "
                "needed",
                to_string(cidr), kMinPrefix, kSlotPrefix);
    }
    return cidr;
}

base::Result<Pool> Pool::make(std::string_view pool, std::string_view pool6) {
    const Cidr range = TRY(parse_cidr(pool).context("network pool"));
    if (range.network.is_v6() || range.prefix > kSlotPrefix || unusable(range)) {
        return base::fail(
                Errc::invalid, "network pool {}: a unicast IPv4 network from /{} to /{} is needed",
                pool, kMinPrefix, kSlotPrefix);
    }
    std::optional<Cidr> range6;
    std::uint64_t slots6 = 0;
    if (!pool6.empty()) {
        range6 = TRY(parse_cidr(pool6).context("IPv6 network pool"));
        if (!range6->network.is_v6() || range6->prefix > kSlotPrefix6 || range6->prefix < 16) {
            return base::fail(
                    Errc::invalid,
                    "IPv6 network pool {}: an IPv6 network from /16 to /{} is needed", pool6,
                    kSlotPrefix6);
        }
        slots6 = std::uint64_t{1} << std::min<unsigned>(
                         kSlotPrefix6 - unsigned{range6->prefix}, kMaxSlotBits6);
    }
    return Pool(range, range6, std::uint64_t{1} << (kSlotPrefix - range.prefix), slots6);
}

base::Result<Placement> Pool::take(std::string_view request) {
    Placement placement = request.empty() ? TRY(take_dynamic()) : TRY(take_requested(request));
    if (auto taken = take_v6(placement); !taken) {
        give(placement);
        return std::move(taken).error();
    }
    return placement;
}

base::Result<Placement> Pool::take_dynamic() {
    const auto slot = slots_.take();
    if (!slot) return base::fail(Errc::exhausted, "insufficient subnets remaining in the pool");
    Placement placement;
    placement.subnet = block(plus(range_.network, *slot * 4), kSlotPrefix);
    placement.gateway = plus(placement.subnet.network, 1);
    placement.container = plus(placement.subnet.network, 2);
    return placement;
}

base::Result<Placement> Pool::take_requested(std::string_view request) {
    const Cidr cidr = TRY(parse_request(request));
    if (overlap(cidr, range_)) {
        return base::fail(
                Errc::invalid,
                "the requested subnet ({}) overlaps the dynamic allocation range ({})",
                to_string(cidr), to_string(range_));
    }
    for (const auto& [text, addresses] : shared_) {
        const Cidr existing = TRY(parse_cidr(text));
        if (!(existing == cidr) && overlap(existing, cidr)) {
            return base::fail(
                    Errc::invalid, "the requested subnet ({}) overlaps an existing subnet ({})",
                    to_string(cidr), text);
        }
    }
    Placement placement;
    placement.subnet = block(cidr.network, cidr.prefix);
    placement.shared = true;
    placement.gateway = plus(cidr.network, 1);
    const Address broadcast = range_of(cidr).last;
    const auto known = shared_.find(to_string(cidr));
    const auto taken = [&](std::uint32_t address) {
        return known != shared_.end() && known->second.contains(address);
    };
    if (cidr.address != cidr.network) {
        if (cidr.address == placement.gateway) {
            return base::fail(Errc::invalid, "a container IP must not equal the gateway IP");
        }
        if (cidr.address == broadcast) {
            return base::fail(Errc::invalid, "a container IP must not equal the broadcast IP");
        }
        if (taken(value4(cidr.address))) {
            return base::fail(Errc::conflict, "the requested IP is already allocated");
        }
        placement.container = cidr.address;
    } else {
        std::uint32_t next = value4(cidr.network) + 2;
        while (taken(next)) ++next;  // at most as many steps as there are containers
        if (next >= value4(broadcast)) {
            return base::fail(Errc::exhausted, "insufficient IPs remaining in the pool");
        }
        placement.container = address4(next);
    }
    shared_[to_string(cidr)].insert(value4(placement.container));
    return placement;
}

base::Result<void> Pool::take_v6(Placement& placement) {
    if (!range6_) return base::ok;
    const auto slot = slots6_.take();
    if (!slot)
        return base::fail(Errc::exhausted, "insufficient subnets remaining in the pool (IPv6)");
    placement.subnet6 = block(plus(range6_->network, *slot * 4), kSlotPrefix6);
    return base::ok;
}

base::Result<void> Pool::adopt(const Placement& placement) {
    const std::string subnet = to_string(placement.subnet);
    bool fresh = true;
    // The operator may have changed the pool: an address outside it needs no slot to stay unique.
    if (placement.shared) {
        fresh = shared_[subnet].insert(value4(placement.container)).second;
    } else if (contains(range_, placement.subnet.network)) {
        fresh = slots_.take(slot_of(range_, placement.subnet.network));
    }
    if (!fresh) {
        return base::fail(
                Errc::conflict, "adopt address {}: in use already", to_string(placement.container));
    }
    if (placement.subnet6 && range6_ && contains(*range6_, placement.subnet6->network)) {
        (void)slots6_.take((slot6_of(placement.subnet6->network) - slot6_of(range6_->network)) / 4);
    }
    return base::ok;
}

void Pool::give(const Placement& placement) {
    if (placement.shared) {
        const auto known = shared_.find(to_string(placement.subnet));
        if (known != shared_.end()) {
            known->second.erase(value4(placement.container));
            if (known->second.empty()) shared_.erase(known);
        }
    } else if (contains(range_, placement.subnet.network)) {
        slots_.give(slot_of(range_, placement.subnet.network));
    }
    if (placement.subnet6 && range6_ && contains(*range6_, placement.subnet6->network)) {
        slots6_.give((slot6_of(placement.subnet6->network) - slot6_of(range6_->network)) / 4);
    }
}

std::size_t Pool::users(const Cidr& subnet) const {
    const auto known = shared_.find(to_string(subnet));
    return known == shared_.end() ? 0 : known->second.size();
}

bool Pool::has_bridge(std::string_view name, std::string_view tag) const {
    return std::any_of(shared_.begin(), shared_.end(), [&](const auto& entry) {
        const auto cidr = parse_cidr(entry.first);
        return cidr && name == bridge_interface(tag, cidr->network);
    });
}

}  // namespace garden::net
