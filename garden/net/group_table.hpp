// Security groups in the table: the sets of a container and the few rules of its chain that ask
// them. Fills batches; committing is the caller's. Used by table.cpp and built_in.
#pragma once

#include "base/result.hpp"
#include "garden/net/group.hpp"
#include "garden/net/nft.hpp"
#include "garden/net/nft_counters.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace garden::net {

// Where a group is in the table.
struct GroupPlace {
    std::string id;  // of the lease
    bool v6 = false;
    std::uint16_t log_group = 0;
};

// Into a chain that has no rules yet.
void put_group(Batch& batch, const GroupPlace& place, const Group& group);
// What differs. True when the rules of the chain were taken away and begin anew: whoever has one of
// his own behind ours puts it there again.
[[nodiscard]] bool change_group(
        Batch& batch, const GroupPlace& place, const Group& before, const Group& after);
// Behind the deletion of the chain.
void remove_group(Batch& batch, const GroupPlace& place, const Group& group);

struct GroupHits {
    std::vector<Hits> allowances;     // of each, as in the group
    std::vector<CountedRule> others;  // rules of the chain that are not of the group
};

base::Result<GroupHits> read_group(
        Netlink& netfilter, const std::string& table, const std::string& id, const Group& group);

}  // namespace garden::net
