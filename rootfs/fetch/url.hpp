// The little that is done with URLs here: their origin, and a redirect's target. Used by
// rootfs/fetch.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace rootfs {

// "scheme://host:port", the port always written. Errc::invalid for anything that is not http or
// https or carries a user name.
base::Result<std::string> origin_of(const std::string& url);
// The target of a redirect or token realm: `location` may be relative to `base`.
base::Result<std::string> resolve_url(const std::string& base, const std::string& location);
// For a query: everything but letters, digits and "-._~" as %XX.
std::string escape_query(std::string_view text);

}  // namespace rootfs
