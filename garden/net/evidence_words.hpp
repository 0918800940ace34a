// The reasons for which packets are refused, and whose they are. Pure. Used by evidence_table and
// evidence_log.
#pragma once

#include "garden/net/address.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace garden::net {

// Why a packet is refused. The words are chain and set names, log prefixes and the API's reasons.
enum class Refusal : std::uint8_t {
    container,  // from one to another
    network,    // a denied network
    metadata,   // NET-05
    host,       // NET-04
    inbound,    // from outside, to no mapped port
    limits      // NET-11
};

inline constexpr std::array kRefusals = {Refusal::container, Refusal::network, Refusal::metadata,
                                         Refusal::host,      Refusal::inbound, Refusal::limits};

std::string_view word(Refusal refusal);
std::string_view description(Refusal refusal);  // as text of a rule
std::string refusal_chain(Refusal refusal);

// The addresses of one container.
struct Addresses {
    Address v4;
    std::optional<Address> v6;
};

}  // namespace garden::net
