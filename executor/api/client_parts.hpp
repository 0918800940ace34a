// What the parts of the client share: where a container is, how refusals become errors. Private to
// executor/api.
#pragma once

#include "base/http/message.hpp"
#include "base/result.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace executor::api {

inline constexpr std::chrono::seconds kQuickCall{30};

base::Error refusal(int status, const base::http::Headers& headers, const std::string& body);
std::string container_path(std::string_view guid, std::string_view rest = {});

}  // namespace executor::api
