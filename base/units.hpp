// Quantities that must not be mixed up: bytes, host and container ids, ports. Used by specs and
// plans.
#pragma once

#include "base/named.hpp"

#include <cstdint>

namespace base {

using Bytes = Named<struct BytesTag, std::uint64_t>;
using Port = Named<struct PortTag, std::uint16_t>;
// Inside a container, and on the host: a map lies between them, so they are different types.
using Uid = Named<struct UidTag, std::uint32_t>;
using Gid = Named<struct GidTag, std::uint32_t>;
using HostUid = Named<struct HostUidTag, std::uint32_t>;
using HostGid = Named<struct HostGidTag, std::uint32_t>;

}  // namespace base
