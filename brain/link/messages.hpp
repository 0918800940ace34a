// Bodies of the calls between a cell and its brain. Used by both ends in this folder. Reading
// ignores unknown members, so that brains and cells of two versions understand each other.
#pragma once

#include "brain/api/brain.hpp"

#include <string>
#include <string_view>

namespace brain::link {

inline constexpr std::string_view kPrefix = "/cloche/v1/link/";
// Of one body: 250 records of a cell with their tags; 51,200 bytes of a task's result.
inline constexpr std::size_t kMaxBody = std::size_t{16} << 20;

// claim, crash, remove, evacuate…: an instance, and why.
struct InstanceCall {
    api::LrpKey key;            // flat
    api::InstanceKey instance;  // flat
    std::string reason;
    bool operator==(const InstanceCall&) const = default;
};

struct TaskCall {
    std::string task_guid;
    std::string cell_id;
    std::string reason;
    bool operator==(const TaskCall&) const = default;
};

struct CellCall {
    std::string cell_id;
    std::string owner;
    std::string digest;
    bool operator==(const CellCall&) const = default;
};

struct PresenceCall {
    api::CellPresence presence;
    std::string owner;
    std::int64_t ttl_ms = 0;
    bool operator==(const PresenceCall&) const = default;
};

struct ProcessCall {
    std::string process_guid;
    bool operator==(const ProcessCall&) const = default;
};

struct YesNo {
    bool yes = false;
    bool operator==(const YesNo&) const = default;
};

struct Records {
    bool unchanged = false;
    std::vector<api::ActualLrp> lrps;
    std::vector<api::Task> tasks;
    bool operator==(const Records&) const = default;
};

struct Refusal {
    std::string name;
    int number = 0;
    std::string message;
    bool operator==(const Refusal&) const = default;
};

Refusal to_refusal(const base::Error& error);
// The same error as on the other side: error_name() finds its name.
base::Error to_error(const Refusal& refusal, int status);

void to_json(base::json::Writer& w, const InstanceCall& v);
void to_json(base::json::Writer& w, const TaskCall& v);
void to_json(base::json::Writer& w, const CellCall& v);
void to_json(base::json::Writer& w, const PresenceCall& v);
void to_json(base::json::Writer& w, const ProcessCall& v);
void to_json(base::json::Writer& w, const YesNo& v);
void to_json(base::json::Writer& w, const Records& v);
void to_json(base::json::Writer& w, const Refusal& v);

base::Result<void> from_json(const base::json::Node& node, InstanceCall& v);
base::Result<void> from_json(const base::json::Node& node, TaskCall& v);
base::Result<void> from_json(const base::json::Node& node, CellCall& v);
base::Result<void> from_json(const base::json::Node& node, PresenceCall& v);
base::Result<void> from_json(const base::json::Node& node, ProcessCall& v);
base::Result<void> from_json(const base::json::Node& node, YesNo& v);
base::Result<void> from_json(const base::json::Node& node, Records& v);
base::Result<void> from_json(const base::json::Node& node, Refusal& v);

}  // namespace brain::link

// RunningLrp and TaskOutcome belong to brain/api; only here they have a wire form.
namespace brain::api {

void to_json(base::json::Writer& w, const RunningLrp& v);
void to_json(base::json::Writer& w, const TaskOutcome& v);
base::Result<void> from_json(const base::json::Node& node, RunningLrp& v);
base::Result<void> from_json(const base::json::Node& node, TaskOutcome& v);

}  // namespace brain::api
