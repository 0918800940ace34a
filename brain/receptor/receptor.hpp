// The Receptor API (receptor-api) as one handler over any PublicBrain, and its table of routes.
// Used by the program braind and by tests.
#pragma once

#include "base/clock.hpp"
#include "base/http/request.hpp"
#include "base/http/server.hpp"
#include "brain/api/public_brain.hpp"
#include "brain/receptor/errors.hpp"
#include "brain/receptor/settings.hpp"

#include <string_view>
#include <vector>

namespace brain::receptor {

struct RouteInfo {
    std::string_view name;  // "CreateTask": operationId of docs/openapi/receptor.json
    std::string_view method;
    std::string_view path;
    int success;
    std::vector<std::string_view> errors;  // names; Unauthorized and UnknownError come to all
};

const std::vector<RouteInfo>& routes();

// `brain` and `clock` outlive the handler. Errc::invalid: settings that cannot be.
base::Result<base::http::Handler> make_handler(
        api::PublicBrain& brain, const Settings& settings, const base::Clock& clock);

// Of a server for it: streams have workers of their own, so that they never take a request's.
base::http::ServerLimits server_limits(const Settings& settings);

}  // namespace brain::receptor
