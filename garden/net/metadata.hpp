// Where clouds tell machines their secrets (NET-05): refused before every rule of a user. Used by
// table.cpp and explain.cpp.
#pragma once

#include <array>

namespace garden::net {

inline constexpr std::array kMetadataNetworks = {
        "169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32",   "168.63.129.16/32",
        "100.96.0.96/32", "100.80.80.80/32",    "fd00:ec2::254/128"};

}  // namespace garden::net
