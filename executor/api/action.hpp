// Actions: what to do in a container, as its client wrote it (executor-rep §5). Pure values with
// JSON both ways. Used by the executor, the rep and every client that writes recipes.
#pragma once

#include "base/box.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace executor::api {

inline constexpr std::size_t kMaxActionDepth = 32;
inline constexpr std::size_t kMaxActions = 1'000;  // of one tree, wrappers included

struct EnvironmentVariable {
    std::string name;
    std::string value;
    bool operator==(const EnvironmentVariable&) const = default;
};

struct Action;

struct ResourceLimits {
    std::optional<std::uint64_t> nofile;
    std::optional<std::uint64_t> nproc;  // deprecated: read, kept, never applied
    bool operator==(const ResourceLimits&) const = default;
};

struct RunAction {
    std::string path;
    std::vector<std::string> args;
    std::string dir;
    std::vector<EnvironmentVariable> env;
    ResourceLimits resource_limits;
    std::string user;
    std::string log_source;
    bool suppress_log_output = false;
    bool operator==(const RunAction&) const = default;
};

struct DownloadAction {
    std::string artifact;
    std::string from;
    std::string to;
    std::string cache_key;
    std::string log_source;
    std::string user;
    std::string checksum_algorithm;  // "", "md5", "sha1", "sha256": lower case once read
    std::string checksum_value;
    bool operator==(const DownloadAction&) const = default;
};

struct UploadAction {
    std::string artifact;
    std::string from;
    std::string to;
    std::string log_source;
    std::string user;
    bool operator==(const UploadAction&) const = default;
};

struct TimeoutAction {
    base::Box<Action> action;
    std::chrono::nanoseconds timeout{0};  // wire: timeout_ms; read too: timeout (ns, 2015)
    std::string log_source;
    bool operator==(const TimeoutAction&) const = default;
};

struct EmitProgressAction {
    base::Box<Action> action;
    std::string start_message;
    std::string success_message;
    std::string failure_message_prefix;
    std::string log_source;
    bool operator==(const EmitProgressAction&) const = default;
};

struct TryAction {
    base::Box<Action> action;
    std::string log_source;
    bool operator==(const TryAction&) const = default;
};

struct ParallelAction {
    std::vector<Action> actions;
    std::string log_source;
    bool operator==(const ParallelAction&) const = default;
};

struct SerialAction {
    std::vector<Action> actions;
    std::string log_source;
    bool operator==(const SerialAction&) const = default;
};

struct CodependentAction {
    std::vector<Action> actions;
    std::string log_source;
    bool operator==(const CodependentAction&) const = default;
};

// monostate: the wire's null; never valid.
struct Action {
    using Value = std::variant<
            std::monostate,
            DownloadAction,
            UploadAction,
            RunAction,
            TimeoutAction,
            EmitProgressAction,
            TryAction,
            ParallelAction,
            SerialAction,
            CodependentAction>;
    Value value;

    bool empty() const { return std::holds_alternative<std::monostate>(value); }

    bool operator==(const Action&) const = default;
};

// The wire's word: "run", "serial", …; "" of an empty one.
std::string_view kind_of(const Action& action);

// Errc::invalid names the path: "run.actions[1].path: must not be empty". `path` is what stands in
// front. Also bounds depth and number.
base::Result<void> validate(const Action& action, std::string_view path);

// Both or none, and a known algorithm. `path` names the owner.
base::Result<void> validate_checksum(
        std::string_view algorithm, std::string_view value, std::string_view path);

void to_json(base::json::Writer& w, const EnvironmentVariable& v);
void to_json(base::json::Writer& w, const Action& v);
base::Result<void> from_json(const base::json::Node& node, EnvironmentVariable& v);
base::Result<void> from_json(const base::json::Node& node, Action& v);

}  // namespace executor::api
