// Event: what changed in the brain's records, in the order in which it became durable (bbs-api §3,
// receptor-api §10). Used by brain/model, which makes them, and by everything that streams them.
#pragma once

#include "brain/api/lrp.hpp"
#include "brain/api/task.hpp"

#include <cstdint>
#include <memory>
#include <string_view>

namespace brain::api {

// A record is never changed once it is shared: who has one may read it without a lock.
using DesiredPtr = std::shared_ptr<const DesiredLrp>;
using ActualPtr = std::shared_ptr<const ActualLrp>;
using TaskPtr = std::shared_ptr<const Task>;

enum class EventKind : std::uint8_t {
    desired_lrp_created,
    desired_lrp_changed,
    desired_lrp_removed,
    actual_lrp_created,
    actual_lrp_changed,
    actual_lrp_removed,
    actual_lrp_crashed,  // `actual_before` is the instance, `actual_after` what the crash left
    task_created,
    task_changed,
    task_removed,
};

// created: only `after`; removed: only `before`; changed and crashed: both.
struct Event {
    EventKind kind = EventKind::task_created;
    DesiredPtr desired_before, desired_after;
    ActualPtr actual_before, actual_after;
    TaskPtr task_before, task_after;
};

std::string_view to_string(EventKind kind);  // "desired_lrp_created", …

}  // namespace brain::api
