// The small parts that the brain's records are made of: keys of an actual LRP, its addresses,
// modification tags (bbs-api §6). Used by brain, rep and their tests. JSON ignores unknown members;
// null and absent are the same.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "executor/api/types.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace brain::api {

using executor::api::InternalRoute;
using executor::api::PortMapping;
using MetricTags = std::map<std::string, std::string>;  // resolved: of one instance

// Same epoch: the higher index is newer; different or empty epoch: the later arrival is.
struct ModificationTag {
    std::string epoch;
    std::uint32_t index = 0;
    bool operator==(const ModificationTag&) const = default;
};

struct LrpKey {
    std::string process_guid;
    std::int32_t index = 0;
    std::string domain;
    bool operator==(const LrpKey&) const = default;
};

struct InstanceKey {
    std::string instance_guid;
    std::string cell_id;

    bool empty() const { return instance_guid.empty() && cell_id.empty(); }

    bool operator==(const InstanceKey&) const = default;
};

enum class PreferredAddress : std::uint8_t { unknown, instance, host };  // wire: "HOST", …

struct NetInfo {
    std::string address;  // the host's
    std::vector<PortMapping> ports;
    std::string instance_address;  // the container's
    PreferredAddress preferred_address = PreferredAddress::unknown;
    std::string instance_ipv6_address;

    bool empty() const { return *this == NetInfo{}; }

    bool operator==(const NetInfo&) const = default;
};

std::string_view to_string(PreferredAddress value);

void to_json(base::json::Writer& w, const ModificationTag& v);
void to_json(base::json::Writer& w, const LrpKey& v);
void to_json(base::json::Writer& w, const InstanceKey& v);
void to_json(base::json::Writer& w, const PreferredAddress& v);
void to_json(base::json::Writer& w, const NetInfo& v);

base::Result<void> from_json(const base::json::Node& node, ModificationTag& v);
base::Result<void> from_json(const base::json::Node& node, LrpKey& v);
base::Result<void> from_json(const base::json::Node& node, InstanceKey& v);
base::Result<void> from_json(const base::json::Node& node, PreferredAddress& v);
base::Result<void> from_json(const base::json::Node& node, NetInfo& v);

}  // namespace brain::api
