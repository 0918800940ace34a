// The error names of the Receptor API and its envelope {"name","message"} (receptor-api §1.1). Used
// by the routes, by their tests, and compared with docs/openapi/receptor.json.
#pragma once

#include "base/error.hpp"
#include "base/http/request.hpp"
#include "brain/validate/violations.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace brain::receptor {

struct ErrorName {
    std::string_view name;
    int status;  // 0: only clients make it
};

inline constexpr ErrorName kTaskGuidAlreadyExists{"TaskGuidAlreadyExists", 409};
inline constexpr ErrorName kTaskNotDeletable{"TaskNotDeletable", 409};
inline constexpr ErrorName kTaskNotFound{"TaskNotFound", 404};
inline constexpr ErrorName kInvalidTask{"InvalidTask", 400};
inline constexpr ErrorName kDesiredLrpAlreadyExists{"DesiredLRPAlreadyExists", 409};
inline constexpr ErrorName kDesiredLrpNotFound{"DesiredLRPNotFound", 404};
inline constexpr ErrorName kInvalidLrp{"InvalidLRP", 400};
inline constexpr ErrorName kInvalidDomain{"InvalidDomain", 400};  // declared, never sent
inline constexpr ErrorName kInvalidJson{"InvalidJSON", 400};
inline constexpr ErrorName kInvalidRequest{"InvalidRequest", 400};
inline constexpr ErrorName kInvalidResponse{"InvalidResponse", 0};
inline constexpr ErrorName kUnknownError{"UnknownError", 500};
inline constexpr ErrorName kUnauthorized{"Unauthorized", 401};
inline constexpr ErrorName kActualLrpIndexNotFound{"ActualLRPIndexNotFound", 404};
inline constexpr ErrorName kResourceConflict{"ResourceConflict", 500};
inline constexpr ErrorName kRouterError{"RouterError", 0};

const std::vector<ErrorName>& error_names();

base::http::Response refuse(const ErrorName& name, std::string_view message);
// With the reasons, which 2015 did not tell, as "details".
base::http::Response refuse(const ErrorName& name, const validate::Violations& found);
// UnknownError with the store's text. 503 when this brain does not lead or its store is away: the
// caller may try again elsewhere; everything else is 500.
base::http::Response unknown(const base::Error& error);
// Of a body that cannot be read: InvalidJSON, InvalidRequest with 413 when it is too long.
base::http::Response bad_body(const base::Error& error);
// For base::http::ServerConfig::busy.
base::http::Response busy(const base::Error& error);

}  // namespace brain::receptor
