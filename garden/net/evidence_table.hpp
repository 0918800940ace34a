// The part of the table that is evidence (NET-07): every refusal is a chain that counts it for its
// container, logs it within a budget, and then refuses. Used by table.cpp and network_evidence.cpp.
//
// What a container has here are elements keyed by its addresses, so a packet costs a hash lookup
// however many containers there are; its counters go with it.
#pragma once

#include "base/result.hpp"
#include "garden/net/address.hpp"
#include "garden/net/nft.hpp"
#include "garden/net/nft_counters.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace garden::net {

// Why a packet is refused. The words are chain and set names, log prefixes and the API's reasons.
enum class Refusal : std::uint8_t {
    container,  // from one to another
    network,    // a denied network
    metadata,   // NET-05
    host,       // NET-04
    inbound     // from outside, to no mapped port
};

inline constexpr std::array kRefusals = {
        Refusal::container, Refusal::network, Refusal::metadata, Refusal::host, Refusal::inbound};

std::string_view word(Refusal refusal);
std::string_view description(Refusal refusal);  // as text of a rule
std::string refusal_chain(Refusal refusal);

// Chains and sets before the rules that name them.
void add_refusal_chains(Batch& batch);
void put_refusals(Batch& batch, std::uint16_t log_group);
// At the end of `chain`: what nothing refuses is counted and accepted.
void append_counted_accept(Batch& batch, const std::string& chain);
// The set with the budget for what a rule of the container logs.
std::string allowed_log_set(bool v6);

// The addresses of one container.
struct Addresses {
    Address v4;
    std::optional<Address> v6;
};

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
