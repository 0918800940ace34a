// The rules that are really there, as words: what an audit compares with what we put. Used by
// garden/audit; reading only.
#pragma once

#include "base/result.hpp"
#include "garden/net/netlink.hpp"
#include "garden/net/nft.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace garden::net {

// One rule as its expressions in order: "meta", "cmp", "payload", "counter", "lookup bound4",
// "jump spoof", "goto default", "accept", "drop", "reject", "masquerade", …
struct RuleWords {
    std::string chain;
    std::vector<std::string> words;
};

inline constexpr std::size_t kMaxRulesRead = 262'144;  // more is Errc::exhausted

// Of one chain, or with "" of every chain of the table; in the order of the kernel.
base::Result<std::vector<RuleWords>> list_rules(
        Netlink& netfilter,
        TableFamily family,
        const std::string& table,
        const std::string& chain = "");

}  // namespace garden::net
