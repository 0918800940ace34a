// What rules and set elements have counted, read by netlink: one chain or some elements at a time,
// never the whole rule set. Used by evidence_table.cpp and network_evidence.cpp.
#pragma once

#include "base/result.hpp"
#include "garden/net/nft.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace garden::net {

struct Hits {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;

    Hits& operator+=(const Hits& other) {
        packets += other.packets;
        bytes += other.bytes;
        return *this;
    }
};

struct CountedRule {
    std::string comment;
    bool counted = false;  // has a counter
    bool logs = false;
    Hits hits;
};

// In the order in which packets meet them. No chain of that name: no rules.
base::Result<std::vector<CountedRule>> read_rules(
        Netlink& netfilter, TableFamily family, const std::string& table, const std::string& chain);

// One counter per key; Errc::not_found when one of them is no element.
base::Result<std::vector<Hits>> read_elements(
        Netlink& netfilter,
        const std::string& table,
        const std::string& set,
        std::span<const Element> keys);

// All elements of a set with what each has counted; Errc::not_found when there is no such set.
base::Result<std::vector<std::pair<Element, Hits>>> read_set(
        Netlink& netfilter, const std::string& table, const std::string& set);

// How many rules each chain of our table has.
base::Result<std::map<std::string, std::size_t>> count_rules(
        Netlink& netfilter, TableFamily family, const std::string& table);

}  // namespace garden::net
