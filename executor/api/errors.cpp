// The error names of executor-rep §3.3.
#include "base/fail.hpp"
#include "executor/api/executor.hpp"

namespace executor::api {

const std::vector<NamedError>& named_errors() {
    using base::Errc;
    static const std::vector<NamedError> kErrors = {
            {kContainerGuidNotAvailable, "container guid not available", 400, Errc::already_exists},
            {kContainerNotCompleted, "container must be stopped before it can be deleted", 400,
             Errc::conflict},
            {kInsufficientResources, "insufficient resources available", 503, Errc::exhausted},
            {kContainerNotFound, "container not found", 404, Errc::not_found},
            {kStepsInvalid, "steps invalid", 400, Errc::invalid},
            {kLimitsInvalid, "container limits invalid", 400, Errc::invalid},
            {kGuidNotSpecified, "container guid not specified", 400, Errc::invalid},
            {kInvalidStateTransition, "container cannot transition to given state", 409,
             Errc::conflict},
            {kFailureToCheckSpace, "failed to check available space", 500, Errc::internal},
            {kInvalidSecurityGroup, "security group has invalid values", 400, Errc::invalid},
            {kNoProcessToStop, "failed to find a process to stop", 404, Errc::not_found},
    };
    return kErrors;
}

base::Error make_error(std::string_view name, std::string_view detail) {
    for (const auto& known : named_errors()) {
        if (known.name != name) continue;
        if (detail.empty()) return base::fail(known.kind, "{}", known.message);
        return base::fail(known.kind, "{}: {}", known.message, detail);
    }
    return base::fail(base::Errc::internal, "{}: {}", name, detail);
}

std::string_view error_name(const base::Error& error) {
    for (const auto& known : named_errors())
        if (error.kind == known.kind && error.text.starts_with(known.message)) return known.name;
    return {};
}

}  // namespace executor::api
