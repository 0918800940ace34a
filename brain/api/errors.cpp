#include "brain/api/errors.hpp"

#include "base/fail.hpp"

namespace brain::api {

const std::vector<NamedError>& named_errors() {
    using base::Errc;
    static const std::vector<NamedError> kErrors = {
            {4, kInvalidRequest, "the request received is invalid", Errc::invalid},
            {9, kInvalidStateTransition, "Cannot transition", Errc::conflict},
            {11, kResourceConflict, "the requested resource is in a conflicting state",
             Errc::conflict},
            {12, kResourceExists, "the requested resource already exists", Errc::already_exists},
            {13, kResourceNotFound, "the requested resource could not be found", Errc::not_found},
            {15, kCannotBeClaimed, "cannot claim actual LRP", Errc::conflict},
            {16, kCannotBeStarted, "cannot start actual LRP", Errc::conflict},
            {17, kCannotBeCrashed, "cannot crash actual LRP", Errc::conflict},
            {18, kCannotBeFailed, "cannot fail actual LRP", Errc::conflict},
            {19, kCannotBeRemoved, "cannot remove actual LRP", Errc::conflict},
            {21, kCannotBeUnclaimed, "cannot unclaim actual LRP", Errc::conflict},
            {24, kRunningOnDifferentCell, "Running on cell", Errc::conflict},
    };
    return kErrors;
}

namespace {

const NamedError* find(const base::Error& error) {
    for (const auto& known : named_errors())
        if (error.kind == known.kind && error.text.starts_with(known.message)) return &known;
    return nullptr;
}

}  // namespace

base::Error make_error(std::string_view name, std::string_view detail) {
    for (const auto& known : named_errors()) {
        if (known.name != name) continue;
        // Two texts go on where their fixed part ends (bbs-api §1.1).
        const bool goes_on = known.number == 9 || known.number == 24;
        return base::fail(
                known.kind, "{}{}{}", known.message,
                detail.empty() ? ""
                : goes_on      ? " "
                               : ": ",
                detail);
    }
    return base::fail(base::Errc::internal, "{}: {}", name, detail);
}

std::string_view error_name(const base::Error& error) {
    const auto* known = find(error);
    return known == nullptr ? std::string_view() : known->name;
}

int error_number(const base::Error& error) {
    const auto* known = find(error);
    return known == nullptr ? 0 : known->number;
}

}  // namespace brain::api
