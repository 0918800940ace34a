// What the two halves of the typed client share. Private to garden/api.
#pragma once

#include "base/error.hpp"
#include "base/json.hpp"

#include <string>
#include <string_view>

namespace garden::api {

// Bulk answers about thousands of containers are the largest.
inline constexpr std::size_t kMaxAnswer = std::size_t{64} << 20;
inline constexpr base::json::Limits kAnswerLimits{
        .bytes = kMaxAnswer, .depth = base::json::kMaxDepth};

// The error that an answer outside 200–299 stands for.
base::Error answer_error(int status, const std::string& body);
std::string container_path(std::string_view handle, std::string_view rest);

}  // namespace garden::api
