// An OCI seccomp profile as its JSON says it, before anything is decided; every string is known to
// be a word of the format. Made by oci_profile.cpp, used by seccomp_profile.cpp. Both spellings:
// the runtime specification's and the profile files' that engines distribute (archMap, includes,
// excludes). Private to security.
#pragma once

#include "base/result.hpp"
#include "security/seccomp_policy.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace security {

inline constexpr std::size_t kMaxProfileBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxProfileEntries = 2048;  // of `syscalls`
inline constexpr std::size_t kMaxProfileNames = 1024;    // of one entry
inline constexpr std::size_t kMaxProfileRules = 65'536;  // names times their rules

struct OciKernel {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
};

struct OciFilter {  // `includes` and `excludes`
    std::vector<std::string> caps;
    std::vector<std::string> arches;
    std::optional<OciKernel> min_kernel;
};

struct OciEntry {      // one of `syscalls`
    std::string path;  // "syscalls[3]", for messages
    std::vector<std::string> names;
    std::uint32_t action = 0;  // with its errno
    std::vector<Condition> args;
    OciFilter includes;
    OciFilter excludes;
};

struct OciProfile {
    std::uint32_t default_action = 0;
    std::vector<std::string>
            architectures;  // "SCMP_ARCH_X86_64"; those of the native archMap entry included
    std::vector<std::string> flags;
    std::string listener_path;
    std::string listener_metadata;
    std::vector<OciEntry> entries;
};

base::Result<OciProfile> parse_oci_profile(std::string_view json);

}  // namespace security
