// The names and numbers that the brain's refusals have on every wire (bbs-api §1.1), carried by
// base::Error. Used by brain and rep; "refused" means that the brain has spoken, not that it is
// away.
#pragma once

#include "base/result.hpp"

#include <string_view>
#include <vector>

namespace brain::api {

inline constexpr std::string_view kUnknownError = "UnknownError";
inline constexpr std::string_view kInvalidRequest = "InvalidRequest";
inline constexpr std::string_view kInvalidStateTransition = "InvalidStateTransition";
inline constexpr std::string_view kResourceConflict = "ResourceConflict";
inline constexpr std::string_view kResourceExists = "ResourceExists";
inline constexpr std::string_view kResourceNotFound = "ResourceNotFound";
inline constexpr std::string_view kCannotBeClaimed = "ActualLRPCannotBeClaimed";
inline constexpr std::string_view kCannotBeStarted = "ActualLRPCannotBeStarted";
inline constexpr std::string_view kCannotBeCrashed = "ActualLRPCannotBeCrashed";
inline constexpr std::string_view kCannotBeFailed = "ActualLRPCannotBeFailed";
inline constexpr std::string_view kCannotBeRemoved = "ActualLRPCannotBeRemoved";
inline constexpr std::string_view kCannotBeUnclaimed = "ActualLRPCannotBeUnclaimed";
inline constexpr std::string_view kRunningOnDifferentCell = "RunningOnDifferentCell";

struct NamedError {
    int number;
    std::string_view name;
    std::string_view message;
    base::Errc kind;  // what a base::Error of ours carries
};

const std::vector<NamedError>& named_errors();
// "MESSAGE" or "MESSAGE: detail"; `name` is one of the above. Do not put a context in front: the
// name is found by how the text begins.
base::Error make_error(std::string_view name, std::string_view detail = {});
std::string_view error_name(const base::Error& error);  // "" when it has none
int error_number(const base::Error& error);             // 0 when it has none

}  // namespace brain::api
