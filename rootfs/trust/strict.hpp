// Objects of which every member is known: what the policy and signed statements share (IMG-40,
// IMG-43). Used by rootfs/trust.
#pragma once

#include "base/result.hpp"
#include "rootfs/image/json.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace rootfs::trust {

// An object with no members but `known`.
base::Result<void> check_members(
        const Json& object, std::initializer_list<std::string_view> known, std::string_view what);
// A member that must be there and be a string that is not empty.
base::Result<std::string> required_text(
        const Json& object, const char* name, std::string_view what);
// A member that must be there, whatever it is.
base::Result<const Json*> required(const Json& object, const char* name, std::string_view what);

}  // namespace rootfs::trust
