// Random UUIDs of the house under the engine's name: handles and process ids that nobody chose.
// Used by garden/engine only.
#pragma once

#include "base/uuid.hpp"

namespace garden {

using base::random_uuid;

}  // namespace garden
