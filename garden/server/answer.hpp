// Small things that every route file needs: JSON answers, JSON bodies. Private to garden/server.
#pragma once

#include "base/fail.hpp"
#include "base/http/request.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "garden/api/error.hpp"
#include "garden/server/convert.hpp"

#include <string>

namespace garden::server {

// Go's encoder ends every value with a newline.
template <class T>
base::http::Response json_answer(const T& value, int status = 200) {
    return base::http::Response::json(base::json::encode(value) + "\n", status);
}

// The first JSON value of the body; what follows is ignored (garden-api §1).
template <class T>
base::Result<T> json_body(base::http::Request& request) {
    const auto text = TRY(request.read_body(base::json::kMaxBytes));
    return base::json::decode<T>(text, base::json::Rest::ignore);
}

std::uint64_t resident_bytes();

}  // namespace garden::server
