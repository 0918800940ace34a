#include "brain/receptor/errors.hpp"

#include "base/json_writer.hpp"

namespace brain::receptor {

using base::http::Response;

const std::vector<ErrorName>& error_names() {
    static const std::vector<ErrorName> kNames = {
            kTaskGuidAlreadyExists,
            kTaskNotDeletable,
            kTaskNotFound,
            kInvalidTask,
            kDesiredLrpAlreadyExists,
            kDesiredLrpNotFound,
            kInvalidLrp,
            kInvalidDomain,
            kInvalidJson,
            kInvalidRequest,
            kInvalidResponse,
            kUnknownError,
            kUnauthorized,
            kActualLrpIndexNotFound,
            kResourceConflict,
            kRouterError};
    return kNames;
}

namespace {

Response envelope(
        const ErrorName& name,
        std::string_view message,
        const std::vector<std::string>& details = {}) {
    base::json::Writer w;
    w.begin_object().member("name", name.name).member("message", message);
    w.member_unless_zero("details", details).end_object();
    return Response::json(w.take(), name.status);
}

}  // namespace

Response refuse(const ErrorName& name, std::string_view message) {
    return envelope(name, message);
}

Response refuse(const ErrorName& name, const validate::Violations& found) {
    return envelope(name, found.message(), found.details());
}

Response unknown(const base::Error& error) {
    auto response = envelope(kUnknownError, error.text);
    if (error.kind == base::Errc::unavailable) {
        response.status = 503;
        response.headers.set("Retry-After", "1");
    }
    return response;
}

Response bad_body(const base::Error& error) {
    // Said by the reader of the body alone; limits inside of JSON are InvalidJSON.
    if (error.kind == base::Errc::exhausted && error.text.starts_with("request body")) {
        auto response = envelope(kInvalidRequest, error.text);
        response.status = 413;
        return response;
    }
    return envelope(kInvalidJson, error.text);
}

Response busy(const base::Error& error) {
    auto response = envelope(kUnknownError, error.text);
    response.status = 503;
    response.headers.set("Retry-After", "1");
    return response;
}

}  // namespace brain::receptor
