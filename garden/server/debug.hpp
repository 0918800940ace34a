// The debug endpoint: figures under the names Garden's operators know, the log level, metrics. Used
// by main.
#pragma once

#include "base/http/router.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"

#include <string>

namespace garden::server {

// `logger`, `metrics` outlive the router.
base::http::Router debug_routes(
        base::log::Logger& logger,
        const base::metrics::Registry& metrics,
        std::string state_directory,
        std::string store_directory);

}  // namespace garden::server
