// What the depot remembers of a container: everything that a new gardend needs to adopt it or to
// take it down. A plain value; used by garden/engine only.
#pragma once

#include "base/result.hpp"
#include "garden/net/network.hpp"
#include "garden/plan/container_spec.hpp"
#include "security/id_ranges.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace garden {

// Written before the first change of the world, and at every change of stage: what is not `created`
// is taken down at start.
enum class Stage : std::uint8_t { creating, created, destroying };

struct ContainerRecord {
    Handle handle;
    Stage stage = Stage::creating;
    bool stopped = false;
    bool dead = false;        // its shim or its first process was killed
    ContainerSpec spec;       // without credentials
    std::string range_owner;  // key of the id range; "" without one
    security::IdRange range{.base = 0, .length = 0};
    std::optional<net::Lease> lease;
    // Which plugins were asked to make something for it, and have to be told of its end.
    bool image_plugin = false;
    bool network_plugin = false;
    std::string image_reference;
    std::string image_digest;
    std::vector<std::string> image_env;
    std::int64_t created_at = 0;  // nanoseconds since 1970
    std::map<std::string, std::string> properties;
    std::vector<std::string> events;
    std::uint64_t oom_kills = 0;  // how many of `events` are of the kernel's counter
    std::map<std::string, std::uint64_t> pea_oom_kills;  // the same of living peas, by name
};

std::string to_json(const ContainerRecord& record);
base::Result<ContainerRecord> parse_record(std::string_view text);

// What a pea has besides its process. Written before the first of it is made.
struct PeaRecord {
    std::string name;     // of its volume, its group and its hold on the image
    bool beside = false;  // its group is beside the container's, not below it
    std::uint64_t cpu_shares = 0;
    std::int64_t created_at = 0;  // nanoseconds since 1970
};

// One line per process, kept beside the record so that `ps` still knows argv after a restart.
struct ProcessRecord {
    std::string id;
    std::string user;
    std::vector<std::string> argv;
    bool terminal = false;
    std::optional<PeaRecord> pea;
};

std::string to_json(const ProcessRecord& record);
base::Result<ProcessRecord> parse_process_record(std::string_view text);

}  // namespace garden
