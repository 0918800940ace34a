// The parts of the table that change where packets go and how many there may be: mapped ports
// (NET-10), the way back to them from containers (NET-04), limits of connections (NET-11). Private
// to table.cpp.
#pragma once

#include "garden/net/nft.hpp"
#include "garden/net/table.hpp"
#include "garden/net/table_family.hpp"

#include <vector>

namespace garden::net {

void put_port_map(Batch& batch, const Family& family, unsigned id);
void put_limit_sets(Batch& batch, const Family& family, unsigned& id);
std::vector<Element> port_elements(const Binding& binding, const Address& address);

void add_nat_chains(Batch& batch);
void flush_nat_chains(Batch& batch);
void put_nat(Batch& batch, const HostPolicy& policy);
// Lets through what the chain "hairpin" has judged already.
void append_hairpin(Batch& batch, const HostPolicy& policy);
void put_limits(Batch& batch, const HostPolicy& policy);

}  // namespace garden::net
