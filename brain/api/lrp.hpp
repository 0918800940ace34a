// Desired and actual LRPs: the brain's records of what should run and of each instance (bbs-api §6,
// lifecycle §1, §4). Used by brain and rep.
#pragma once

#include "brain/api/definition.hpp"
#include "brain/api/keys.hpp"

namespace brain::api {

struct Sidecar {
    std::optional<Action> action;
    std::int32_t disk_mb = 0;
    std::int32_t memory_mb = 0;
    bool operator==(const Sidecar&) const = default;
};

enum class UpdateStrategy : std::uint8_t { rolling, recreate };  // wire: "ROLLING", …

struct DesiredLrp {
    std::string process_guid;
    std::string domain;
    std::int32_t instances = 0;
    Definition definition;  // flat on the wire
    std::optional<Action> setup;
    std::optional<Action> monitor;
    std::int64_t start_timeout_ms = 0;
    std::vector<std::uint16_t> ports;
    std::map<std::string, std::string> routes;  // router -> JSON text
    ModificationTag modification_tag;
    CheckDefinition check_definition;
    std::vector<Sidecar> sidecars;
    UpdateStrategy update_strategy = UpdateStrategy::rolling;
    bool operator==(const DesiredLrp&) const = default;
};

enum class LrpState : std::uint8_t { invalid, unclaimed, claimed, running, crashed };
enum class Presence : std::uint8_t { ordinary, evacuating, suspect };  // wire: "ORDINARY", …

// Up to three of one index, by presence.
struct ActualLrp {
    LrpKey key;            // flat on the wire
    InstanceKey instance;  // flat; empty when unclaimed or crashed
    NetInfo net_info;      // flat; only when running
    std::int32_t crash_count = 0;
    std::string crash_reason;
    LrpState state = LrpState::invalid;
    std::string placement_error;
    std::int64_t since = 0;  // ns since 1970, of the last change of state
    ModificationTag modification_tag;
    Presence presence = Presence::ordinary;
    std::vector<InternalRoute> internal_routes;  // wire: actual_lrp_internal_routes
    MetricTags metric_tags;
    std::optional<bool> routable;
    std::string availability_zone;
    bool operator==(const ActualLrp&) const = default;
};

std::string_view to_string(UpdateStrategy value);
std::string_view to_string(LrpState value);  // "UNCLAIMED", …; invalid: "INVALID"
std::string_view to_string(Presence value);

void to_json(base::json::Writer& w, const UpdateStrategy& v);
void to_json(base::json::Writer& w, const LrpState& v);
void to_json(base::json::Writer& w, const Presence& v);
void to_json(base::json::Writer& w, const Sidecar& v);
void to_json(base::json::Writer& w, const DesiredLrp& v);
void to_json(base::json::Writer& w, const ActualLrp& v);

base::Result<void> from_json(const base::json::Node& node, UpdateStrategy& v);
base::Result<void> from_json(const base::json::Node& node, LrpState& v);
base::Result<void> from_json(const base::json::Node& node, Presence& v);
base::Result<void> from_json(const base::json::Node& node, Sidecar& v);
base::Result<void> from_json(const base::json::Node& node, DesiredLrp& v);
base::Result<void> from_json(const base::json::Node& node, ActualLrp& v);

}  // namespace brain::api
