// Which address is whose: the dynamic pool (lowest /30 first) and requested subnets, in memory.
// Pure; the owner locks. Used by network.cpp and unit tests.
#pragma once

#include "base/result.hpp"
#include "garden/net/address.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace garden::net {

// Slots 0..size-1, lowest free first.
class Slots {
  public:
    explicit Slots(std::uint64_t size) : used_(size, false), free_(size) {}

    std::optional<std::uint64_t> take();
    bool take(std::uint64_t slot);  // false: taken already
    void give(std::uint64_t slot);  // idempotent

    std::uint64_t size() const { return used_.size(); }

    std::uint64_t free() const { return free_; }

  private:
    std::vector<bool> used_;
    std::uint64_t free_;
    std::uint64_t lowest_ = 0;  // nothing below is free
};

struct Placement {
    Cidr subnet;
    Address gateway;
    Address container;
    bool shared = false;          // a requested subnet: a bridge
    std::optional<Cidr> subnet6;  // with its gateway +1 and container +2
};

class Pool {
  public:
    // `pool6` may be null. Errc::invalid names the limits.
    static base::Result<Pool> make(std::string_view pool, std::string_view pool6);

    base::Result<Placement> take(std::string_view request);
    base::Result<void> adopt(const Placement& placement);
    void give(const Placement& placement);

    const Cidr& range() const { return range_; }

    std::uint64_t capacity() const { return slots_.size(); }

    std::uint64_t free() const { return slots_.free(); }

    // How many containers have an address of this requested subnet.
    std::size_t users(const Cidr& subnet) const;
    // Whether a bridge of this name belongs to a requested subnet in use.
    bool has_bridge(std::string_view name, std::string_view tag) const;

  private:
    Pool(Cidr range, std::optional<Cidr> range6, std::uint64_t slots, std::uint64_t slots6)
        : range_(range), range6_(range6), slots_(slots), slots6_(slots6) {}

    base::Result<Placement> take_dynamic();
    base::Result<Placement> take_requested(std::string_view request);
    base::Result<void> take_v6(Placement& placement);

    Cidr range_;
    std::optional<Cidr> range6_;
    Slots slots_;
    Slots slots6_;
    std::map<std::string, std::set<std::uint32_t>> shared_;  // subnet → container addresses
};

// "" is none; "a.b.c.d" means /30. Exposed for validation before anything is made.
base::Result<Cidr> parse_request(std::string_view request);

}  // namespace garden::net
