// RegistryLogins: from the login that a recipe has to the one that its registry takes. Used by
// executor/core; implemented by EcrLogins.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace executor {

struct Login {
    std::string username;
    std::string password;  // never logged, never in an error
    bool operator==(const Login&) const = default;
};

class RegistryLogins {
  public:
    virtual ~RegistryLogins() = default;
    // What `given` is for the image of `rootfs`; `given` itself wherever nothing is to be
    // exchanged. May block for as long as a request takes.
    virtual base::Result<Login> exchange(std::string_view rootfs, const Login& given) = 0;
};

}  // namespace executor
