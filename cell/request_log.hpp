// A line of the log for each request of celld's APIs, as gardend has them. Used by cell/main.cpp.
#pragma once

#include "base/http/server.hpp"
#include "base/log.hpp"

#include <functional>

namespace cell {

// What only asks is told at debug. `log` outlives the server.
std::function<void(const base::http::Served&)> log_requests(const base::log::Logger& log);

}  // namespace cell
