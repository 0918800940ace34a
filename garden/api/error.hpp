// The error object of the Garden API (garden-api §3), to and from the house's Error. Used by
// garden/server and the client.
#pragma once

#include "base/error.hpp"
#include "garden/api/types.hpp"

#include <map>
#include <string>
#include <string_view>

namespace garden::api {

inline constexpr std::string_view kContainerNotFound = "ContainerNotFoundError";
inline constexpr std::string_view kProcessNotFound = "ProcessNotFoundError";
inline constexpr std::string_view kExecutableNotFound = "ExecutableNotFoundError";
inline constexpr std::string_view kServiceUnavailable = "ServiceUnavailableError";
inline constexpr std::string_view kUnrecoverable = "UnrecoverableError";

struct Error {
    std::string type;  // one of the above, or ""
    std::string message;
    std::string handle;  // filled for ContainerNotFoundError: the client rebuilds its text from it
    std::string process_id;  // filled for ProcessNotFoundError
    std::string binary;      // always empty
};

// All five members are always present.
void to_json(base::json::Writer& w, const Error& v);
base::Result<void> from_json(const base::json::Node& node, Error& v);

struct Refusal {
    int status = 500;
    Error error;
};

// `handle` and `process_id`: what the request was about ("" when about none).
Refusal refusal_of(
        const base::Error& error, std::string_view handle = {}, std::string_view process_id = {});
// The client's way back: kind by type and status, text as a Go client shows it.
base::Error to_error(const Error& error, int status);

// Values of the bulk answers: {"Info":…,"Err":null|Error}.
struct BulkInfo {
    ContainerInfo info;
    std::optional<Error> error;
};

struct BulkMetrics {
    Metrics metrics;
    std::optional<Error> error;
};

void to_json(base::json::Writer& w, const BulkInfo& v);
void to_json(base::json::Writer& w, const BulkMetrics& v);
base::Result<void> from_json(const base::json::Node& node, BulkInfo& v);
base::Result<void> from_json(const base::json::Node& node, BulkMetrics& v);

}  // namespace garden::api
