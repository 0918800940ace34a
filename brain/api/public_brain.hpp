// PublicBrain: what clients ask of the brain, as opposed to what cells ask (brain.hpp). Implemented
// by brain/core; used by the Receptor API and by everything else that faces users. Every call may
// block until the change is durable; safe from any thread. A refusal has a name of errors.hpp;
// Errc::unavailable means that this brain does not lead or cannot reach its store.
#pragma once

#include "brain/api/cell.hpp"
#include "brain/api/errors.hpp"
#include "brain/api/event.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brain::api {

// Only what is there is changed; an empty update still counts the tag up (receptor-api §4.4).
struct DesiredLrpUpdate {
    std::optional<std::int32_t> instances;
    std::optional<std::map<std::string, std::string>> routes;  // replaces all of them
    std::optional<std::string> annotation;                     // "" clears it
    std::optional<std::map<std::string, MetricTagValue>> metric_tags;
    std::optional<std::string> image_username, image_password;  // both or neither
    bool operator==(const DesiredLrpUpdate&) const = default;
};

// Of one index. The presence that is not there is null.
struct ActualLrpGroup {
    ActualPtr ordinary, evacuating, suspect;
};

// One reader of events. Ends (Errc::cancelled) when its buffer of kMaxQueuedEvents overflows, when
// the brain stops or when it loses the lead: the reader then lists again.
class EventStream {
  public:
    virtual ~EventStream() = default;
    // Waits up to `patience`; nothing when there was none.
    virtual base::Result<std::optional<Event>> next(std::chrono::milliseconds patience) = 0;
};

inline constexpr std::size_t kMaxQueuedEvents = 1'024;  // of one reader (receptor-api §10)

class PublicBrain {
  public:
    virtual ~PublicBrain() = default;

    // Records come as they were given by a client that has passed brain/validate.
    virtual base::Result<void> desire_task(Task task) = 0;
    virtual base::Result<TaskPtr> find_task(std::string_view task_guid) = 0;
    virtual base::Result<std::vector<TaskPtr>> list_tasks(std::string_view domain) = 0;  // "": all
    virtual base::Result<void> cancel_task(std::string_view task_guid) = 0;
    virtual base::Result<void> resolve_task(std::string_view task_guid) = 0;  // COMPLETED→RESOLVING
    virtual base::Result<void> delete_task(std::string_view task_guid) = 0;  // of a RESOLVING one

    virtual base::Result<void> desire_lrp(DesiredLrp desired) = 0;
    virtual base::Result<DesiredPtr> find_desired_lrp(std::string_view process_guid) = 0;
    virtual base::Result<std::vector<DesiredPtr>> list_desired_lrps(std::string_view domain) = 0;
    virtual base::Result<void> update_desired_lrp(
            std::string_view process_guid, const DesiredLrpUpdate& update) = 0;
    virtual base::Result<void> remove_desired_lrp(std::string_view process_guid) = 0;

    // By index, one group for each; `domain` "": all. An unknown process has none.
    virtual base::Result<std::vector<ActualLrpGroup>> list_actual_lrps(std::string_view domain) = 0;
    virtual base::Result<std::vector<ActualLrpGroup>> list_actual_lrps_of(
            std::string_view process_guid) = 0;
    virtual base::Result<ActualLrpGroup> find_actual_lrp(
            std::string_view process_guid, std::int32_t index) = 0;  // ResourceNotFound
    virtual base::Result<void> retire_actual_lrp(
            std::string_view process_guid, std::int32_t index) = 0;

    virtual base::Result<std::vector<CellPresence>> list_cells() = 0;  // those with a live lease
    virtual base::Result<void> upsert_domain(
            std::string_view name, std::chrono::seconds time_to_live) = 0;  // 0: for ever
    virtual base::Result<std::vector<std::string>> fresh_domains() = 0;

    // Everything that becomes durable from now on.
    virtual base::Result<std::unique_ptr<EventStream>> subscribe() = 0;
};

}  // namespace brain::api
