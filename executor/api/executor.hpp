// Executor: what the cell's representative asks of it, in process or over HTTP. Implemented by
// executor/core and by the client; used by the rep. Every call may block; safe from any thread.
#pragma once

#include "base/result.hpp"
#include "executor/api/types.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace executor::api {

// The names of executor-rep §3.3. `error_name` finds the one an error carries (its text begins with
// the message), "" when none.
inline constexpr std::string_view kContainerGuidNotAvailable = "ContainerGuidNotAvailable";
inline constexpr std::string_view kContainerNotCompleted = "ContainerNotCompleted";
inline constexpr std::string_view kInsufficientResources = "InsufficientResourcesAvailable";
inline constexpr std::string_view kContainerNotFound = "ContainerNotFound";
inline constexpr std::string_view kStepsInvalid = "StepsInvalid";
inline constexpr std::string_view kLimitsInvalid = "LimitsInvalid";
inline constexpr std::string_view kGuidNotSpecified = "GuidNotSpecified";
inline constexpr std::string_view kInvalidStateTransition = "InvalidStateTransition";
inline constexpr std::string_view kFailureToCheckSpace = "ErrFailureToCheckSpace";
inline constexpr std::string_view kInvalidSecurityGroup = "ErrInvalidSecurityGroup";
inline constexpr std::string_view kNoProcessToStop = "ErrNoProcessToStop";

struct NamedError {
    std::string_view name;
    std::string_view message;
    int status;       // [2015]
    base::Errc kind;  // what a base::Error of ours carries
};

const std::vector<NamedError>& named_errors();
// "MESSAGE" or "MESSAGE: detail"; `name` is one of the above.
base::Error make_error(std::string_view name, std::string_view detail = {});
std::string_view error_name(const base::Error& error);

struct AllocationFailure {
    AllocationRequest request;
    std::string name;  // of executor-rep §3.3; may be ""
    std::string message;
};

// A tar stream out of a container, read piece by piece; 0 at its end.
class FileStream {
  public:
    virtual ~FileStream() = default;
    virtual base::Result<std::size_t> read_some(std::span<char> into) = 0;
};

// Follows the events. Never blocks the executor: one that falls more than kMaxEventsBehind behind
// gets Errc::exhausted from next() and has to list anew.
class EventSource {
  public:
    virtual ~EventSource() = default;
    // Errc::timeout leaves it usable; Errc::cancelled after close().
    virtual base::Result<Event> next(std::chrono::milliseconds timeout) = 0;
    virtual void close() = 0;  // any thread
};

inline constexpr std::size_t kMaxEventsBehind = 4'096;

class Executor {
  public:
    virtual ~Executor() = default;

    virtual base::Result<void> ping() = 0;
    // Only what was refused.
    virtual base::Result<std::vector<AllocationFailure>> allocate(
            const std::vector<AllocationRequest>& requests) = 0;
    // reserved → initializing before it returns; the rest goes on behind.
    virtual base::Result<void> run(const RunRequest& request) = 0;
    virtual base::Result<void> update(const UpdateRequest& request) = 0;
    virtual base::Result<void> stop(std::string_view guid) = 0;
    // Stops, waits for the steps, destroys. Deleting what is not there is Errc::not_found.
    virtual base::Result<void> remove(std::string_view guid) = 0;
    virtual base::Result<Container> get(std::string_view guid) = 0;
    virtual base::Result<std::vector<Container>> list(const Tags& tags = {}) = 0;
    virtual base::Result<std::map<std::string, ContainerMetrics>> metrics(
            const Tags& tags = {}) = 0;
    virtual base::Result<Resources> remaining_resources() = 0;
    virtual base::Result<Resources> total_resources() = 0;
    virtual base::Result<std::unique_ptr<FileStream>> files(
            std::string_view guid, std::string_view path) = 0;
    virtual base::Result<std::unique_ptr<EventSource>> subscribe() = 0;
    virtual std::vector<std::string> volume_drivers() = 0;
    virtual bool healthy() = 0;  // of the garden health check
    // A line into the container's log stream (the rep: "Cell … requesting replacement …").
    virtual void say(std::string_view guid, std::string_view line) = 0;
};

}  // namespace executor::api
