// The host's device nodes that are bound into containers, opened and verified once at start
// (DEV-01, FS-10). Used by garden/engine only.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <map>
#include <set>
#include <string>

namespace garden {

class HostNodes {
  public:
    // Opens every node that any class may have; one that the host lacks is left out.
    static base::Result<HostNodes> open();
    // A detached mount of the node; unsupported when this host has none.
    base::Result<base::Fd> clone(const std::string& path) const;

    const std::set<std::string>& absent() const { return absent_; }

  private:
    std::map<std::string, base::Fd> nodes_;  // "/dev/null" -> O_PATH descriptor
    std::set<std::string> absent_;
};

}  // namespace garden
