#include "brain/api/lrp.hpp"

#include "base/json_describe.hpp"
#include "brain/api/describe_definition.hpp"
#include "brain/api/describe_keys.hpp"
#include "brain/api/enum_json.hpp"

namespace brain::api {

namespace {

constexpr auto kStrategies = std::to_array<std::string_view>({"ROLLING", "RECREATE"});
constexpr auto kStates =
        std::to_array<std::string_view>({"INVALID", "UNCLAIMED", "CLAIMED", "RUNNING", "CRASHED"});
constexpr auto kPresences = std::to_array<std::string_view>({"ORDINARY", "EVACUATING", "SUSPECT"});

// A router's value is JSON that nobody here understands. It travels as text in a string: clients
// compare its bytes, spaces and order of members included (receptor-api §4.5).
struct Route {
    std::string json;
};

void to_json(base::json::Writer& w, const Route& v) {
    w.value(v.json);
}

base::Result<void> from_json(const base::json::Node& node, Route& v) {
    v.json = node.is_string() ? TRY(node.string()) : node.dump();
    return base::ok;
}

}  // namespace

std::string_view to_string(UpdateStrategy value) {
    return kStrategies[static_cast<std::size_t>(value)];
}

std::string_view to_string(LrpState value) {
    return kStates[static_cast<std::size_t>(value)];
}

std::string_view to_string(Presence value) {
    return kPresences[static_cast<std::size_t>(value)];
}

void to_json(base::json::Writer& w, const UpdateStrategy& v) {
    w.value(to_string(v));
}

void to_json(base::json::Writer& w, const LrpState& v) {
    w.value(to_string(v));
}

void to_json(base::json::Writer& w, const Presence& v) {
    w.value(to_string(v));
}

base::Result<void> from_json(const base::json::Node& node, UpdateStrategy& v) {
    return read_word(node, kStrategies, v);
}

base::Result<void> from_json(const base::json::Node& node, LrpState& v) {
    return read_word(node, kStates, v);
}

base::Result<void> from_json(const base::json::Node& node, Presence& v) {
    return read_word(node, kPresences, v);
}

template <class V>
void describe(V& v, Sidecar& o) {
    v.always("action", o.action);
    v.always("disk_mb", o.disk_mb);
    v.always("memory_mb", o.memory_mb);
}

template <class V>
void describe_routes(V& v, std::map<std::string, std::string>& routes) {
    std::map<std::string, Route> wire;
    if constexpr (!V::kReads)
        for (const auto& [router, json] : routes) wire[router] = Route{json};
    v.omit("routes", wire);
    if constexpr (V::kReads)
        for (auto& [router, route] : wire) routes[router] = std::move(route.json);
}

template <class V>
void describe(V& v, DesiredLrp& o) {
    v.always("process_guid", o.process_guid);
    v.always("domain", o.domain);
    v.always("instances", o.instances);
    describe(v, o.definition);
    v.omit("setup", o.setup);
    v.omit("monitor", o.monitor);
    v.omit("start_timeout_ms", o.start_timeout_ms);
    v.always("ports", o.ports);
    describe_routes(v, o.routes);
    v.always("modification_tag", o.modification_tag);
    v.omit("check_definition", o.check_definition);
    v.omit("sidecars", o.sidecars);
    v.omit("update_strategy", o.update_strategy);
}

template <class V>
void describe(V& v, ActualLrp& o) {
    describe(v, o.key);
    describe(v, o.instance);
    describe(v, o.net_info);
    v.always("crash_count", o.crash_count);
    v.omit("crash_reason", o.crash_reason);
    v.always("state", o.state);
    v.omit("placement_error", o.placement_error);
    v.always("since", o.since);
    v.always("modification_tag", o.modification_tag);
    v.always("presence", o.presence);
    v.omit("actual_lrp_internal_routes", o.internal_routes);
    v.omit("metric_tags", o.metric_tags);
    v.omit("routable", o.routable);
    v.omit("availability_zone", o.availability_zone);
}

BASE_JSON_DESCRIBED(Sidecar)
BASE_JSON_DESCRIBED(DesiredLrp)
BASE_JSON_DESCRIBED(ActualLrp)

}  // namespace brain::api
