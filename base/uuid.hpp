// Random (version 4) UUIDs: handles, process ids, instance guids, owners of leases that nobody
// chose. Used by the engine and the cell.
#pragma once

#include <string>

namespace base {

std::string random_uuid();  // lower case, with dashes

}  // namespace base
