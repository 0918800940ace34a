#include "security/refused_calls.hpp"

#include "security/seccomp_lists.hpp"
#include "security/seccomp_policy.hpp"

#include <errno.h>

namespace security {

std::vector<RefusedCall> refused_calls(Class container_class) {
    std::vector<RefusedCall> calls;
    const auto add = [&](const std::string& name, int error) {
        const auto resolved = resolve_call(native_architecture(), name);
        if (resolved.number) calls.push_back({name, *resolved.number, error});
    };
    if (container_class != Class::unprivileged) {
        for (const auto& name : privileged_denied_calls()) add(name, EPERM);  // 6.6
        return calls;
    }
    for (const auto& name : denied_calls()) add(name, EPERM);  // SC-05
    add("clone3", ENOSYS);                                     // SC-04
    // SC-03: the first number above our table, for whatever it comes to mean.
    calls.push_back({"a call newer than the table", kNewestCall + 1, ENOSYS});
    return calls;
}

}  // namespace security
