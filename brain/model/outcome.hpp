// Outcome: all that one operation means: which records change, what is told, and what others are
// asked for once the change is durable. Made by the rules, carried out by brain/core.
#pragma once

#include "brain/model/world.hpp"

#include <functional>
#include <string>
#include <vector>

namespace brain::model {

// Bytes of a guid, a domain, a cell's id (bbs-api §5: the width of a key).
inline constexpr std::size_t kMaxName = 255;

// Asks the auctioneer for a place for these indices.
struct LrpStart {
    DesiredPtr desired;
    std::vector<std::int32_t> indices;
};

struct StopInstance {
    api::LrpKey key;
    api::InstanceKey instance;  // names the cell
};

struct CancelOnCell {
    std::string task_guid;
    std::string cell_id;
};

// Internal routes or metric tags of a running instance (lifecycle §5 steps 13, 14).
struct UpdateInstance {
    api::LrpKey key;
    api::InstanceKey instance;
    std::vector<api::InternalRoute> internal_routes;
    api::MetricTags metric_tags;
};

struct Outcome {
    std::vector<RecordChange> changes;  // in order; may touch one record twice
    std::vector<api::Event> events;     // in the order of bbs-api §3
    std::vector<LrpStart> starts;
    std::vector<TaskPtr> task_starts;  // pending ones, for the auctioneer
    std::vector<StopInstance> stops;
    std::vector<CancelOnCell> cancels;
    std::vector<UpdateInstance> updates;
    std::vector<TaskPtr> callbacks;  // completed ones with an address to tell

    bool nothing() const { return changes.empty(); }  // to write; there may be effects

    bool empty() const;  // neither changes nor effects

    void append(Outcome other);
};

// lifecycle §9; every one is a setting of the daemon.
struct Limits {
    std::int64_t stale_unclaimed_ns = 30'000'000'000;
    std::int64_t crash_reset_ns = 300'000'000'000;
    std::int64_t crash_backoff_ns = 30'000'000'000;  // doubled up to 2^5 times
    std::int32_t immediate_restarts = 3;             // crashes below this restart at once
    std::int32_t max_restarts = 200;
    std::int32_t max_task_retries = 3;
    std::int64_t pending_task_ns = 1'800'000'000'000;
    std::int64_t completed_task_ns = 120'000'000'000;
    std::int64_t task_kick_ns = 30'000'000'000;
    std::int32_t max_instances = 100'000;  // of one desired LRP
};

// What a rule may know. `now`: ns since 1970, never going back within one brain. `new_guid` makes
// epochs.
struct Context {
    const World& world;
    std::int64_t now = 0;
    const std::function<std::string()>& new_guid;
    const Limits& limits;
};

}  // namespace brain::model
