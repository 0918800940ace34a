// System-call filters (security-model §6): the class lists and OCI profiles, compiled to BPF once
// and cached. Used by garden/plan.
#pragma once

#include "base/result.hpp"
#include "security/classes.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace security {

struct Filter {
    std::string program;        // struct sock_filter[], native byte order
    std::string hash;           // "sha256:…" of `program` (SC-10)
    std::string listing;        // readable, stored with the container (SC-10)
    bool log = false;           // SECCOMP_FILTER_FLAG_LOG (SC-08)
    std::string listener_path;  // of an OCI profile with SCMP_ACT_NOTIFY: who loads the filter must
                                // serve it or refuse
    std::string listener_metadata;
};

struct ProfileContext {  // what OCI `includes`/`excludes` look at (SC-09)
    std::uint64_t capabilities = 0;
    std::uint32_t kernel_major = 0;  // 0: of the running kernel
    std::uint32_t kernel_minor = 0;
    bool ignore_unknown = false;
    bool log = false;  // whatever the profile's flags say (SC-08)
};

// The allow-list (unprivileged) or thin deny-list (privileged classes). Built once per process,
// thread-safe.
base::Result<Filter> class_filter(Class container_class);
// An OCI seccomp JSON; the error names the JSON path (SC-09).
base::Result<Filter> compile_profile(std::string_view json, const ProfileContext& context);

}  // namespace security
