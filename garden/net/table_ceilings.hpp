// The parts of the table that hold a container to how many connections may wait for their answer
// and how many packets of UDP and ICMP it may send (NET-11). Rules and sets for all containers
// together: none of it is made or removed with one. Private to table.cpp.
#pragma once

#include "garden/net/nft.hpp"
#include "garden/net/table.hpp"

#include <string>

namespace garden::net {

void add_ceiling_chains(Batch& batch);  // made and emptied
void put_ceiling_sets(Batch& batch);
void put_ceilings(Batch& batch, const HostPolicy& policy);
// In front of everything else that these chains do.
void append_half_open(Batch& batch, const HostPolicy& policy);  // to "postrouting"
// To both ways of packets: between containers an answer comes from one.
void append_answered(Batch& batch, const HostPolicy& policy, const std::string& chain);
void append_packet_ceilings(Batch& batch, const HostPolicy& policy, const std::string& chain);

}  // namespace garden::net
