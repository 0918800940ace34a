// What a client may ask for: every bound of a spec, checked before anything changes. Pure; used by
// garden/engine. Errors name the field, the value and the limit.
#pragma once

#include "base/result.hpp"
#include "garden/plan/container_spec.hpp"

#include <cstddef>
#include <string_view>

namespace garden::plan {

inline constexpr std::size_t kHandleBytes =
        200;  // a cgroup, directory and file name; NAME_MAX less our suffixes
inline constexpr std::size_t kProcessIdBytes = 200;
inline constexpr std::size_t kBindMounts = 128;
inline constexpr std::size_t kProperties = 1024;
inline constexpr std::size_t kPropertyBytes = 64 * 1024;  // name and value
inline constexpr std::size_t kArguments = 65'536;
inline constexpr std::size_t kArgumentBytes = 1024 * 1024;  // all together
inline constexpr std::size_t kPathBytes = 4096;             // PATH_MAX
inline constexpr std::size_t kSeccompProfileBytes = 1024 * 1024;
inline constexpr std::uint64_t kMinimumMemoryBytes =
        512 * 1024;  // below this not even garden-init can run

// Letters, digits, "._-+:@~", not starting with "." or "-": safe as the name of a directory and of
// a cgroup.
base::Result<void> check_name(std::string_view name, std::string_view field, std::size_t limit);
base::Result<void> check_container_spec(const ContainerSpec& spec);
base::Result<void> check_process_spec(const ProcessSpec& spec);
base::Result<void> check_memory(std::uint64_t bytes);  // 0: no limit
base::Result<void> check_property(std::string_view name, std::string_view value);

}  // namespace garden::plan
