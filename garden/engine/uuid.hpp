// Random (version 4) UUIDs: handles and process ids that nobody chose. Used by garden/engine only.
#pragma once

#include <string>

namespace garden {

std::string random_uuid();  // lower case, with dashes

}  // namespace garden
