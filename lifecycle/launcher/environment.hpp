// The environment of an app as a value, and what a launcher changes in it (edges 4.3): the two
// variables that describe the app and its services. Pure. Used by launcher's main().
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lifecycle {

inline constexpr int kMaxVariableDepth = 64;  // of the JSON in a variable

class Environment {
  public:
    Environment() = default;
    // `list`: as the kernel gave it, ended by a null pointer. Words without "=" are kept.
    explicit Environment(const char* const* list);

    std::optional<std::string_view> find(std::string_view name) const;
    std::string_view get(std::string_view name) const;  // "" when it is not set
    // In its place when it is there; a name that stands twice then stands once.
    void set(std::string_view name, std::string_view value);

    const std::vector<std::string>& words() const { return words_; }

  private:
    std::vector<std::string> words_;  // NAME=value
};

// VCAP_APPLICATION with what only the cell knows: host, instance_id, port, instance_index. Nothing
// when it is no JSON object: then it is left as it is.
std::optional<std::string> described_application(const Environment& environment);

// The first credentials.uri of a MySQL or PostgreSQL service in VCAP_SERVICES, in the order
// written, its scheme as mysql2 or postgres. Errc::invalid when it is no JSON.
base::Result<std::optional<std::string>> database_url(std::string_view services);

// Both of these, and DATABASE_URL set.
base::Result<void> describe_app(Environment& environment);

}  // namespace lifecycle
