// The executor's HTTP API: the routes of 2015 (executor-rep §3.2) and ours for logs, over any
// Executor. Used by the program celld and by tests, which call it without a socket.
#pragma once

#include "base/http/router.hpp"
#include "executor/api/executor.hpp"

#include <cstddef>

namespace executor {

class LogHub;

// Workers its server needs: what waits long (deletions, streams) has shares of them.
inline constexpr std::size_t kWorkers = 448;

// Both outlive the router. Answers of errors carry the name in X-Executor-Error.
base::http::Router make_routes(api::Executor& executor, LogHub& logs);

}  // namespace executor
