// The environment of a process: merged from image, container and process, then checked
// (garden-api 10.3, PL-06). Pure. Used by process_plan.cpp and validate.cpp.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace garden::plan {

inline constexpr std::size_t kEnvEntryBytes =
        128 * 1024;  // PL-06; also the kernel's MAX_ARG_STRLEN
inline constexpr std::size_t kEnvTotalBytes = 1024 * 1024;  // PL-06

// Refuses entries without a name, with NUL, or too long; `field` goes in front of the error.
base::Result<void> check_environment(const std::vector<std::string>& env, std::string_view field);

// Refuses more than kEnvTotalBytes in all: each source alone may be within bounds.
base::Result<void> check_environment_size(
        const std::vector<std::string>& env, std::string_view field);

struct EnvironmentInput {
    const std::vector<std::string>* image = nullptr;
    const std::vector<std::string>* container = nullptr;
    const std::vector<std::string>* process = nullptr;
    std::string_view user;  // as asked for; "" = root
    std::string_view home;  // of the user inside the container
    bool root = true;       // decides about the default PATH
};

// Later entries win, the place of the last occurrence is kept; PATH, USER and HOME are added when
// missing, nothing else.
std::vector<std::string> merge_environment(const EnvironmentInput& input);

// The value of `name`, or "" when it is not set.
std::string_view environment_value(const std::vector<std::string>& env, std::string_view name);

}  // namespace garden::plan
