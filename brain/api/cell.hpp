// What the brain knows of a cell: the value of its presence lease (executor-rep §18). Used by brain
// and rep.
#pragma once

#include "base/json.hpp"
#include "base/json_writer.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace brain::api {

struct CellCapacity {
    std::int32_t memory_mb = 0;
    std::int32_t disk_mb = 0;
    std::int32_t containers = 0;
    bool operator==(const CellCapacity&) const = default;
};

// A scheme with the names it offers; none of them: it takes any.
struct Provider {
    std::string name;
    std::vector<std::string> properties;
    bool operator==(const Provider&) const = default;
};

struct CellPresence {
    std::string cell_id;
    std::string rep_address;
    std::string zone;
    CellCapacity capacity;
    std::vector<Provider> rootfs_providers;  // wire: rootfs_provider_list
    std::vector<std::string> placement_tags;
    std::vector<std::string> optional_placement_tags;
    std::string rep_url;
    std::map<std::string, std::string> annotations;
    bool operator==(const CellPresence&) const = default;
};

void to_json(base::json::Writer& w, const CellCapacity& v);
void to_json(base::json::Writer& w, const Provider& v);
void to_json(base::json::Writer& w, const CellPresence& v);

base::Result<void> from_json(const base::json::Node& node, CellCapacity& v);
base::Result<void> from_json(const base::json::Node& node, Provider& v);
base::Result<void> from_json(const base::json::Node& node, CellPresence& v);

}  // namespace brain::api
