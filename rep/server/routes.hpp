// The rep's HTTP API (executor-rep §14.2) as two handlers: who owns the listeners decides where
// they are served. Used by `celld` and by tests.
#pragma once

#include "base/http/router.hpp"
#include "rep/core/rep.hpp"

namespace rep::server {

// Everything that auctioneer and brain call. `rep` outlives the router.
base::http::Router network_routes(core::Rep& rep);
// GET /ping, POST /evacuate: for this machine only.
base::http::Router admin_routes(core::Rep& rep);

}  // namespace rep::server
