// The part of the table that is evidence (NET-07): every refusal is a chain that counts it for its
// container, logs it within a budget, and then refuses. Used by table.cpp and network_evidence.cpp.
//
// What a container has here are elements keyed by its addresses, so a packet costs a hash lookup
// however many containers there are; its counters go with it.
#pragma once

#include "base/result.hpp"
#include "garden/net/address.hpp"
#include "garden/net/evidence_words.hpp"
#include "garden/net/nft.hpp"
#include "garden/net/nft_counters.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace garden::net {

// Chains and sets before the rules that name them.
void add_refusal_chains(Batch& batch);
void put_refusals(Batch& batch, std::uint16_t log_group);
// At the end of `chain`: what nothing refuses is counted and accepted.
void append_counted_accept(Batch& batch, const std::string& chain);
// The set with the budget for what a rule of the container logs.
std::string allowed_log_set(bool v6);

void put_evidence(Batch& batch, const Addresses& addresses);
void remove_evidence(Batch& batch, const Addresses& addresses);

struct SetElement {
    std::string set;
    Element element;
};

// What is there of a container, when something of it is missing.
base::Result<std::vector<SetElement>> find_evidence(
        Netlink& netfilter, const std::string& table, const std::vector<Element>& keys);

struct Tally {
    Hits passed;  // accepted by default
    std::array<Hits, kRefusals.size()> refused;
    Hits suppressed;  // refused and not logged
};

base::Result<Tally> read_tally(
        Netlink& netfilter, const std::string& table, const Addresses& addresses);

}  // namespace garden::net
