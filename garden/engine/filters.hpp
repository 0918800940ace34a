// Seccomp filters by class or profile text, compiled once per daemon (SC-10, budgets: building one
// costs milliseconds). Thread-safe. Used by garden/engine only.
#pragma once

#include "base/result.hpp"
#include "security/seccomp.hpp"

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace garden {

class Filters {
  public:
    // `profile`: OCI JSON text, "" = the class's own list.
    base::Result<security::Filter>
    get(security::Class container_class, const std::string& profile, std::uint64_t capabilities);

  private:
    std::mutex mutex_;
    std::map<std::pair<security::Class, std::string>, security::Filter> compiled_;
};

}  // namespace garden
